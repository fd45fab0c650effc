import Crypto
import Testing
import Wire

@testable import Trust

@Suite struct PairSessionTests {
  /// Two hosts in one boot each, with their sessions for each other.
  private struct Pair {
    let here: PairSession
    let there: PairSession

    init(
      _ one: HostIdentity = HostIdentity(), _ other: HostIdentity = HostIdentity(), boots: (UInt64, UInt64) = (1, 1)
    ) throws {
      let sealer = Sealer(identity: one, boot: Boot(counter: boots.0, nonce: boots.0 + 100))
      let counterpart = Sealer(identity: other, boot: Boot(counter: boots.1, nonce: boots.1 + 200))
      here = try sealer.session(with: counterpart.publicKeys)
      there = try counterpart.session(with: sealer.publicKeys)
    }
  }

  @Test func `What one host seals the other one opens, in both directions`() throws {
    let pair = try Pair()
    for size in [0, 1, 15, 16, 17, 500, GossipPacket.maximumPlaintext] {
      let plaintext = (0..<size).map { UInt8(truncatingIfNeeded: $0) }
      #expect(try pair.there.open(pair.here.seal(plaintext)) == plaintext)
      #expect(try pair.here.open(pair.there.seal(plaintext)) == plaintext)
    }
  }

  @Test func `A datagram has the form of a gossip packet and hides its plaintext`() throws {
    let pair = try Pair()
    let plaintext = [UInt8](repeating: 7, count: GossipPacket.maximumPlaintext)
    let datagram = try pair.here.seal(plaintext)
    #expect(datagram.count == GossipPacket.maximumSize)
    guard case .sealed(let header, let box) = try GossipPacket.decode(datagram) else {
      Issue.record("not a sealed packet")
      return
    }
    #expect(header.sender == pair.there.peer)
    #expect(header.counter == 0)
    #expect(box.count == plaintext.count + 16)
    #expect(!datagram.indices.contains { datagram[$0...].starts(with: [7, 7, 7, 7, 7, 7]) })
    #expect(try GossipPacket.decode(pair.here.seal([])) != GossipPacket.decode(pair.here.seal([])))
  }

  /// The keys, the key derivation and the sealing were computed with another library (Python's `cryptography`).
  @Test func `A known datagram is sealed byte for byte and opened`() throws {
    func raw(_ first: UInt8) -> [UInt8] { (0..<32).map { first &+ $0 } }
    let one = SealingEnd(
      host: try #require(HostID("101112131415161718191a1b1c1d1e1f")),
      boot: Boot(counter: 7, nonce: 0x0123_4567_89ab_cdef))
    let other = SealingEnd(
      host: try #require(HostID("202122232425262728292a2b2c2d2e2f")),
      boot: Boot(counter: 9, nonce: 0xfedc_ba98_7654_3210))
    func session(_ own: SealingEnd, _ keys: (UInt8, UInt8), _ peer: SealingEnd, _ publics: (String, String)) throws
      -> PairSession
    {
      try PairSession(
        own: own, staticKey: Curve25519.KeyAgreement.PrivateKey(rawRepresentation: raw(keys.0)),
        ephemeral: try #require(EphemeralKey(raw: raw(keys.1))),
        peer: PeerKeys(
          host: peer.host, boot: peer.boot, staticKey: try #require(Hex.bytes(publics.0)),
          ephemeralKey: try #require(Hex.bytes(publics.1))), firstCounter: 5)
    }
    let sender = try session(
      one, (0x01, 0x41), other,
      (
        "883186b800b41d5cf0429695da9b3cc4f328ebcd184a6e482fa578c103f06c77",
        "3a553d74792d727efa9b9a4cde3da1ad93f1a2d0c09cb639b1a3c0fda14cbe24"
      ))
    let receiver = try session(
      other, (0x81, 0xc1), one,
      (
        "07a37cbc142093c8b755dc1b10e86cb426374ad16aa853ed0bdfc0b2b86d1c7c",
        "64b101b1d0be5a8704bd078f9895001fc03e8e9f9522f188dd128d9846d48466"
      ))
    let datagram = try #require(
      Hex.bytes(
        "5746543101010000101112131415161718191a1b1c1d1e1f0123456789abcdeffedcba98765432100000000000000005"
          + "d276b45fa672ffd1b2d3ba6fc06b84a7c3b9d14e286346fd3597683e722877eeb085f4"))
    let plaintext = Array("the quick brown fox".utf8)
    #expect(try sender.seal(plaintext) == datagram)
    #expect(try receiver.open(datagram) == plaintext)
  }

  @Test func `A repeated datagram is refused, and one far out of order too`() throws {
    let pair = try Pair()
    let first = try pair.here.seal([1])
    #expect(try pair.there.open(first) == [1])
    #expect(failure { _ = try pair.there.open(first) } as? SealingError == .replayed)
    let late = try pair.here.seal([2])
    let later = try pair.here.seal([3])
    for _ in 0..<2047 { _ = try pair.there.open(pair.here.seal([0])) }
    #expect(failure { _ = try pair.there.open(late) } as? SealingError == .replayed)
    #expect(try pair.there.open(later) == [3])
  }

  @Test func `A forged counter moves no window`() throws {
    let pair = try Pair()
    var forged = try pair.here.seal([1])
    forged[41] = 0xff
    #expect(failure { _ = try pair.there.open(forged) } as? SealingError == .replayed)
    forged[41] = 0
    forged[44] = 0xff
    #expect(failure { _ = try pair.there.open(forged) } as? SealingError == .forged)
    #expect(try pair.there.open(pair.here.seal([2])) == [2])
  }

  @Test func `A host's own packet sent back to it is refused, whatever its header says`() throws {
    let (one, other) = (HostIdentity(), HostIdentity())
    // Equal boots on both sides, the best case for an attacker.
    let boot = Boot(counter: 1, nonce: 1)
    let (sealer, counterpart) = (Sealer(identity: one, boot: boot), Sealer(identity: other, boot: boot))
    let here = try sealer.session(with: counterpart.publicKeys)
    var reflected = try here.seal([1])
    #expect(failure { _ = try here.open(reflected) } as? SealingError == .otherSender)
    reflected.replaceSubrange(8..<24, with: other.hostID.bytes)
    #expect(failure { _ = try here.open(reflected) } as? SealingError == .forged)
  }

  @Test func `A packet of another pair is refused, even with the right names in its header`() throws {
    let (one, other, third) = (HostIdentity(), HostIdentity(), HostIdentity())
    let pair = try Pair(one, other)
    let foreign = try Pair(third, other)
    var datagram = try foreign.here.seal([1])
    #expect(failure { _ = try pair.there.open(datagram) } as? SealingError == .otherSender)
    datagram.replaceSubrange(8..<24, with: one.hostID.bytes)
    #expect(failure { _ = try pair.there.open(datagram) } as? SealingError == .forged)
  }

  @Test func `A packet of an earlier boot of either host is refused, even with the right boots in its header`() throws {
    let (one, other) = (HostIdentity(), HostIdentity())
    let now = try Pair(one, other, boots: (2, 2))
    let senderBefore = try Pair(one, other, boots: (1, 2))
    let receiverBefore = try Pair(one, other, boots: (2, 1))
    var datagram = try senderBefore.here.seal([1])
    #expect(failure { _ = try now.there.open(datagram) } as? SealingError == .otherSender)
    datagram.replaceSubrange(24..<32, with: [0, 0, 0, 0, 0, 0, 0, 102])
    #expect(failure { _ = try now.there.open(datagram) } as? SealingError == .forged)
    datagram = try receiverBefore.here.seal([1])
    #expect(failure { _ = try now.there.open(datagram) } as? SealingError == .otherReceiver)
    datagram.replaceSubrange(32..<40, with: [0, 0, 0, 0, 0, 0, 0, 202])
    #expect(failure { _ = try now.there.open(datagram) } as? SealingError == .forged)
  }

  @Test func `Any change of any bit is refused`() throws {
    let pair = try Pair()
    let datagram = try pair.here.seal([1, 2, 3, 4, 5])
    for bit in 0..<datagram.count * 8 {
      var changed = datagram
      changed[bit / 8] ^= 1 << UInt8(bit % 8)
      #expect(failure { _ = try pair.there.open(changed) } is SealingError, "bit \(bit)")
    }
    for count in datagram.indices {
      #expect(failure { _ = try pair.there.open(Array(datagram.prefix(count))) } is SealingError)
    }
    #expect(try pair.there.open(datagram) == [1, 2, 3, 4, 5])
  }

  @Test func `A plaintext that fits no datagram is refused`() throws {
    let pair = try Pair()
    let long = [UInt8](repeating: 0, count: GossipPacket.maximumPlaintext + 1)
    #expect(failure { _ = try pair.here.seal(long) } as? SealingError == .tooLong)
  }

  @Test func `A key is not used beyond its last counter`() throws {
    let (one, other) = (HostIdentity(), HostIdentity())
    let (ephemeral, counterpart) = (EphemeralKey(), Sealer(identity: other, boot: Boot(counter: 1, nonce: 2)))
    let boot = Boot(counter: 1, nonce: 1)
    let session = try PairSession(
      own: SealingEnd(host: one.hostID, boot: boot), staticKey: one.agreementKey, ephemeral: ephemeral,
      peer: counterpart.publicKeys, firstCounter: PairSession.maximumCounter - 1)
    let receiver = try counterpart.session(
      with: PeerKeys(
        host: one.hostID, boot: boot, staticKey: one.staticPublicKey, ephemeralKey: ephemeral.publicKey))
    #expect(try receiver.open(session.seal([1])) == [1])
    #expect(failure { _ = try session.seal([2]) } as? SealingError == .exhausted)
    #expect(failure { _ = try session.seal([2]) } as? SealingError == .exhausted)
  }

  @Test func `A key that leaks the secret, or is none, is refused`() throws {
    let sealer = Sealer(identity: HostIdentity(), boot: Boot(counter: 1, nonce: 1))
    let good = HostIdentity()
    let zero = [UInt8](repeating: 0, count: 32)
    for (index, keys) in [
      (zero, EphemeralKey().publicKey), (good.staticPublicKey, zero), ([], EphemeralKey().publicKey),
      (good.staticPublicKey, [1, 2]),
    ].enumerated() {
      let peer = PeerKeys(
        host: HostID(high: 9, low: UInt64(index)), boot: Boot(counter: 1, nonce: 1), staticKey: keys.0,
        ephemeralKey: keys.1)
      #expect(failure { _ = try sealer.session(with: peer) } as? SealingError == .badPeerKey)
    }
    #expect(failure { _ = try sealer.session(with: sealer.publicKeys) } as? SealingError == .badPeerKey)
  }

  @Test func `There is one session per boot of a host, so no counter starts again`() throws {
    let (one, other) = (HostIdentity(), HostIdentity())
    let sealer = Sealer(identity: one, boot: Boot(counter: 1, nonce: 1))
    let keys = Sealer(identity: other, boot: Boot(counter: 5, nonce: 1)).publicKeys
    let session = try sealer.session(with: keys)
    #expect(try sealer.session(with: keys) === session)
    #expect(sealer.session(of: other.hostID) === session)
    var changed = keys
    changed.ephemeralKey = EphemeralKey().publicKey
    #expect(failure { _ = try sealer.session(with: changed) } as? SealingError == .oldBoot)
    changed.boot = Boot(counter: 4, nonce: 9)
    #expect(failure { _ = try sealer.session(with: changed) } as? SealingError == .oldBoot)
    changed.boot = Boot(counter: 6, nonce: 0)
    let next = try sealer.session(with: changed)
    #expect(next !== session)
    #expect(failure { _ = try sealer.session(with: keys) } as? SealingError == .oldBoot)
    sealer.close(other.hostID)
    #expect(sealer.session(of: other.hostID) == nil)
    #expect(failure { _ = try sealer.session(with: changed) } as? SealingError == .oldBoot)
  }
}
