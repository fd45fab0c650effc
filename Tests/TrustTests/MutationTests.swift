import Testing
import Wire

@testable import Trust

/// Bytes from outside, changed at random: whatever comes of it, nothing traps, and nothing changed passes for genuine.
@Suite struct MutationTests {
  @Test func `Changed certificates are refused or say the same as before`() throws {
    let pool = try TestPool()
    let credentials = try TLSCredentials(
      member: pool.hosts[0], certificates: .init(pool.certificate(0)), trust: pool.trust)
    var generator = SeededGenerator(seed: 1)
    let originals = [
      try pool.certificate(1), pool.ca.certificate, try CertificateForm.makeStranger(HostIdentity()),
      try TestPool(name: "west").certificate(0),
    ]
    var accepted = 0
    for round in 0..<2000 {
      let bytes = mutated(originals[round % originals.count], using: &generator)
      if let trusted = try? pool.trust.trust(bytes) {
        #expect(trusted.key == pool.hosts[1].publicKey)
        accepted += 1
      }
      _ = credentials.identify([bytes])
      _ = credentials.identify([originals[0], bytes, bytes])
      for expectation in [PeerExpectation.anyMember, .pinnedCA(pool.ca.fingerprint)] {
        _ = try? credentials.verify(chain: [bytes, pool.ca.certificate], expecting: expectation)
        _ = try? credentials.verify(chain: [originals[0], bytes], expecting: expectation)
      }
      if let trust = try? PoolTrust(rootCertificate: bytes) { #expect(trust.pool == pool.ca.pool) }
    }
    // Changes that put back the same bytes, or lie outside what is signed.
    #expect(accepted < 20)
  }

  @Test func `Changed eviction records are refused or applied, and never trap`() throws {
    var pool = try TestPool()
    let original = pool.trust
    let (_, record) = try pool.trust.evict(pool.hosts[2].hostID, members: pool.members)
    var generator = SeededGenerator(seed: 2)
    for _ in 0..<1000 {
      var trust = original
      if (try? trust.apply(mutated(record, using: &generator))) == nil { #expect(trust.encoded == original.encoded) }
    }
  }

  @Test func `Changed stored forms are refused`() throws {
    var pool = try TestPool()
    _ = try pool.trust.evict(pool.hosts[2].hostID, members: pool.members)
    let identity = pool.hosts[0].encoded
    let trust = pool.trust.encoded
    let authority = pool.ca.encoded
    let now = Instant(nanoseconds: 1)
    var ledger = TokenLedger()
    _ = try ledger.issue(lifetime: .seconds(9), uses: 3, now: now)
    let tokens = ledger.encoded(now: now)
    var generator = SeededGenerator(seed: 3)
    for _ in 0..<1000 {
      for original in [identity, trust, authority, tokens] {
        let bytes = mutated(original, using: &generator)
        guard bytes != original else { continue }
        #expect(failure { _ = try HostIdentity(encoded: bytes) } is StoredFormError)
        #expect(failure { _ = try PoolTrust(encoded: bytes) } is StoredFormError)
        #expect(failure { _ = try PoolCA(encoded: bytes) } is StoredFormError)
        #expect(failure { _ = try TokenLedger(encoded: bytes, now: now) } is StoredFormError)
      }
    }
  }

  @Test func `Changed tokens are refused or mean the same`() throws {
    let token = try #require(
      JoinToken(
        endpoints: [Endpoint(address: .v4(0xc000_0201), port: 7677)], pin: Fingerprint(of: []), id: Array(0..<16),
        secret: Array(0..<32)))
    var generator = SeededGenerator(seed: 4)
    for _ in 0..<5000 {
      let text = String(decoding: mutated(Array(token.text.utf8), using: &generator), as: UTF8.self)
      if let read = try? JoinToken(text: text) { #expect(read == token) }
    }
  }

  @Test func `Changed datagrams are refused`() throws {
    let (one, other) = (HostIdentity(), HostIdentity())
    let sealer = Sealer(identity: one, boot: Boot(counter: 1, nonce: 1))
    let counterpart = Sealer(identity: other, boot: Boot(counter: 1, nonce: 2))
    let sender = try sealer.session(with: counterpart.publicKeys)
    let receiver = try counterpart.session(with: sealer.publicKeys)
    let datagram = try sender.seal(Array(repeating: 9, count: 300))
    var generator = SeededGenerator(seed: 5)
    for _ in 0..<5000 {
      let bytes = mutated(datagram, using: &generator)
      guard bytes != datagram else { continue }
      #expect(failure { _ = try receiver.open(bytes) } is SealingError)
    }
    #expect(try receiver.open(datagram).count == 300)
  }

  @Test func `Changed X25519 keys make sessions that agree with nobody, or none`() throws {
    var generator = SeededGenerator(seed: 6)
    let sealer = Sealer(identity: HostIdentity(), boot: Boot(counter: 1, nonce: 1))
    let keys = Sealer(identity: HostIdentity(), boot: Boot(counter: 1, nonce: 2)).publicKeys
    for round: UInt64 in 0..<500 {
      var peer = keys
      peer.host = HostID(high: 1, low: round)
      peer.staticKey = mutated(keys.staticKey, using: &generator)
      peer.ephemeralKey = mutated(keys.ephemeralKey, using: &generator)
      if let session = try? sealer.session(with: peer) {
        #expect(failure { _ = try session.open(session.seal([1])) } is SealingError)
      }
    }
  }
}
