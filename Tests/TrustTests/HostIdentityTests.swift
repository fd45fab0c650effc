import Crypto
import Testing
import Wire

@testable import Trust

@Suite struct HostIdentityTests {
  @Test func `A host ID is the first half of the SHA-256 of the public key in X9.63 form`() {
    let identity = HostIdentity()
    #expect(identity.hostID.bytes == Array(SHA256.hash(data: identity.publicKey.x963).prefix(16)))
    #expect(identity.publicKey.x963.count == 65)
    #expect(identity.publicKey.x963[0] == 4)
  }

  @Test func `What is stored and read again is the same identity`() throws {
    let identity = HostIdentity()
    let again = try HostIdentity(encoded: identity.encoded)
    #expect(again.hostID == identity.hostID)
    #expect(again.staticPublicKey == identity.staticPublicKey)
    #expect(identity.publicKey.verify(again.sign([1, 2, 3]), of: [1, 2, 3]))
  }

  @Test func `Two identities have nothing in common`() {
    let (one, other) = (HostIdentity(), HostIdentity())
    #expect(one.hostID != other.hostID)
    #expect(one.staticPublicKey != other.staticPublicKey)
  }

  @Test func `A signature holds for its message and its key only`() throws {
    let identity = HostIdentity()
    let signature = identity.sign([1, 2, 3])
    #expect(signature.count == 64)
    #expect(identity.publicKey.verify(signature, of: [1, 2, 3]))
    #expect(!identity.publicKey.verify(signature, of: [1, 2, 4]))
    #expect(!HostIdentity().publicKey.verify(signature, of: [1, 2, 3]))
    var changed = signature
    changed[10] ^= 1
    #expect(!identity.publicKey.verify(changed, of: [1, 2, 3]))
    #expect(!identity.publicKey.verify([], of: [1, 2, 3]))
    #expect(!identity.publicKey.verify(Array(signature.dropLast()), of: [1, 2, 3]))
  }

  @Test func `A public key is read from a point of the curve only`() throws {
    let key = HostIdentity().publicKey
    #expect(HostPublicKey(x963: key.x963) == key)
    var off = key.x963
    off[64] ^= 1
    #expect(HostPublicKey(x963: off) == nil)
    #expect(HostPublicKey(x963: Array(key.x963.dropLast())) == nil)
    #expect(HostPublicKey(x963: []) == nil)
  }

  @Test func `Every beginning of a stored identity is refused as cut short`() {
    let encoded = HostIdentity().encoded
    for count in encoded.indices {
      #expect(
        failure { _ = try HostIdentity(encoded: Array(encoded.prefix(count))) } as? StoredFormError
          == .truncated(what: "the host's identity"))
    }
  }

  @Test func `A stored identity with any bit changed is refused`() {
    let encoded = HostIdentity().encoded
    for bit in 0..<encoded.count * 8 {
      var changed = encoded
      changed[bit / 8] ^= 1 << UInt8(bit % 8)
      #expect(failure { _ = try HostIdentity(encoded: changed) } is StoredFormError)
    }
  }

  @Test func `A stored identity names what is wrong with it`() throws {
    let encoded = HostIdentity().encoded
    var newer = encoded
    newer[4] = 2
    #expect(
      failure { _ = try HostIdentity(encoded: newer) } as? StoredFormError
        == .newerVersion(what: "the host's identity", version: 2))
    let foreign = try TestPool().ca.encoded
    #expect(
      failure { _ = try HostIdentity(encoded: foreign) } as? StoredFormError == .foreign(what: "the host's identity"))
    var damaged = encoded
    damaged[20] ^= 1
    #expect(
      failure { _ = try HostIdentity(encoded: damaged) } as? StoredFormError == .damaged(what: "the host's identity"))
    #expect(
      failure { _ = try HostIdentity(encoded: encoded + [0]) } as? StoredFormError
        == .damaged(what: "the host's identity"))
  }
}
