import Testing
import Wire

@testable import Trust

@Suite struct TLSCredentialsTests {
  @Test func `A caller is known as member, stranger, or neither`() throws {
    var pool = try TestPool()
    let other = try TestPool(name: "west")
    let certificates = try (0..<3).map(pool.certificate)
    let before = try TLSCredentials(member: pool.hosts[0], certificates: .init(certificates[0]), trust: pool.trust)
    #expect(before.identify([certificates[2]]) == .member(pool.hosts[2].hostID))
    _ = try pool.trust.evict(pool.hosts[2].hostID, members: pool.members)
    let credentials = try TLSCredentials(member: pool.hosts[0], certificates: .init(certificates[0]), trust: pool.trust)
    #expect(credentials.identify([certificates[1]]) == .member(pool.hosts[1].hostID))
    #expect(credentials.identify([certificates[2]]) == .refused(.revoked(pool.hosts[2].hostID)))
    #expect(credentials.identify([try other.certificate(0)]) == .refused(.otherPool(name: "west")))
    let stranger = HostIdentity()
    #expect(credentials.identify([try CertificateForm.makeStranger(stranger)]) == .stranger(stranger.publicKey))
    #expect(credentials.identify([[1, 2, 3]]) == .refused(.malformed))
  }

  @Test func `An evicted host is no stranger under its old key`() throws {
    var pool = try TestPool()
    _ = try pool.trust.evict(pool.hosts[2].hostID, members: pool.members)
    let credentials = try TLSCredentials(
      member: pool.hosts[0], certificates: .init(pool.certificate(0)), trust: pool.trust)
    let certificate = try CertificateForm.makeStranger(pool.hosts[2])
    #expect(credentials.identify([certificate]) == .refused(.revoked(pool.hosts[2].hostID)))
  }

  @Test func `A host in no pool takes members of any pool for nobody`() throws {
    let pool = try TestPool()
    let credentials = try TLSCredentials(stranger: HostIdentity())
    #expect(credentials.identify([try pool.certificate(0)]) == .refused(.otherPool(name: "east")))
    let stranger = HostIdentity()
    #expect(credentials.identify([try CertificateForm.makeStranger(stranger)]) == .stranger(stranger.publicKey))
  }

  @Test func `A server is the expected host or refused by name`() throws {
    let pool = try TestPool()
    let other = try TestPool(name: "west")
    let credentials = try TLSCredentials(
      member: pool.hosts[0], certificates: .init(pool.certificate(0)), trust: pool.trust)
    let (first, second) = (pool.hosts[0].hostID, pool.hosts[1].hostID)
    let chain = [try pool.certificate(1), pool.ca.certificate]
    #expect(try credentials.verify(chain: chain, expecting: .anyMember) == second)
    #expect(try credentials.verify(chain: chain, expecting: .host(second)) == second)
    #expect(
      failure { _ = try credentials.verify(chain: chain, expecting: .host(first)) } as? PeerVerificationError
        == .otherHost(expected: first, found: second))
    let foreign = [try other.certificate(0), other.ca.certificate]
    #expect(
      failure { _ = try credentials.verify(chain: foreign, expecting: .anyMember) } as? PeerVerificationError
        == .untrusted(.otherPool(name: "west")))
    let stranger = HostIdentity()
    let alone = [try CertificateForm.makeStranger(stranger)]
    #expect(
      failure { _ = try credentials.verify(chain: alone, expecting: .anyMember) } as? PeerVerificationError
        == .notJoined(stranger.hostID))
    #expect(
      failure { _ = try credentials.verify(chain: [], expecting: .anyMember) } as? PeerVerificationError
        == .noCertificate)
  }

  @Test func `A joiner takes a server by the pinned CA and by nothing else`() throws {
    let pool = try TestPool()
    let other = try TestPool(name: "west")
    let joiner = try TLSCredentials(stranger: HostIdentity())
    let chain = [try pool.certificate(1), pool.ca.certificate]
    let pin = pool.ca.fingerprint
    func error(_ chain: [[UInt8]], _ expectation: PeerExpectation) -> PeerVerificationError? {
      failure { _ = try joiner.verify(chain: chain, expecting: expectation) } as? PeerVerificationError
    }
    #expect(try joiner.verify(chain: chain, expecting: .pinnedCA(pin)) == pool.hosts[1].hostID)
    #expect(error(chain, .pinnedCA(other.ca.fingerprint)) == .otherCA(poolName: "east"))
    #expect(error([chain[0]], .pinnedCA(pin)) == .otherCA(poolName: "east"))
    // Anyone can show the pool's CA certificate; only its hosts have a certificate that it signed.
    #expect(error([try other.certificate(0), pool.ca.certificate], .pinnedCA(pin)) == .notSignedByPinnedCA)
    let stranger = HostIdentity()
    #expect(
      error([try CertificateForm.makeStranger(stranger), pool.ca.certificate], .pinnedCA(pin))
        == .notJoined(stranger.hostID))
    #expect(
      error([pool.ca.certificate], .pinnedCA(pin))
        == .untrusted(.notHostCertificate(reason: "it is the certificate of a CA")))
    #expect(error(chain, .anyMember) == .noPool)
  }

  @Test func `A host shows no certificate of another host or another pool`() throws {
    let pool = try TestPool()
    let other = try TestPool(name: "west")
    let certificate = try pool.certificate(1)
    #expect(
      failure { _ = try TLSCredentials(member: pool.hosts[0], certificates: .init(certificate), trust: pool.trust) }
        as? TLSCredentialsError == .otherHost(pool.hosts[1].hostID))
    #expect(
      failure { _ = try TLSCredentials(member: pool.hosts[1], certificates: .init(certificate), trust: other.trust) }
        as? TLSCredentialsError == .untrusted(.otherPool(name: "east")))
  }

  @Test func `A host that was away during an eviction knows the others by their older certificates`() throws {
    var pool = try TestPool()
    let away = try TLSCredentials(
      member: pool.hosts[1], certificates: .init(pool.certificate(1)), trust: pool.trust)
    var certificates = OwnCertificates(try pool.certificate(0))
    let (ca, _) = try pool.trust.evict(pool.hosts[2].hostID, members: pool.members)
    let renewed = try ca.issue(for: pool.hosts[0].publicKey)
    certificates.add(renewed)
    let present = try TLSCredentials(member: pool.hosts[0], certificates: certificates, trust: pool.trust)
    #expect(present.chain == [renewed, ca.certificate, certificates.newestFirst[1]])
    #expect(try away.verify(chain: present.chain, expecting: .host(pool.hosts[0].hostID)) == pool.hosts[0].hostID)
    #expect(away.identify(present.chain) == .member(pool.hosts[0].hostID))
    #expect(present.identify(away.chain) == .member(pool.hosts[1].hostID))
    // A joiner knows the pool by the new CA.
    let joiner = try TLSCredentials(stranger: HostIdentity())
    #expect(
      try joiner.verify(chain: present.chain, expecting: .pinnedCA(ca.fingerprint)) == pool.hosts[0].hostID)
    // Without the older certificate the new CA is named as the trouble.
    #expect(
      failure { _ = try away.verify(chain: [renewed, ca.certificate], expecting: .anyMember) }
        as? PeerVerificationError == .untrusted(.unknownCA(pool.hosts[0].hostID)))
  }

  @Test func `A certificate of another key behind the first one counts for nothing`() throws {
    let pool = try TestPool()
    let other = try TestPool(name: "west")
    let credentials = try TLSCredentials(
      member: pool.hosts[0], certificates: .init(pool.certificate(0)), trust: pool.trust)
    let chain = [try other.certificate(0), other.ca.certificate, try pool.certificate(1)]
    #expect(credentials.identify(chain) == .refused(.otherPool(name: "west")))
    #expect(
      failure { _ = try credentials.verify(chain: chain, expecting: .anyMember) } as? PeerVerificationError
        == .untrusted(.otherPool(name: "west")))
  }

  @Test func `A host's own certificates are stored and bounded, the newest first`() throws {
    var certificates = OwnCertificates([0])
    for number: UInt8 in 1...20 { certificates.add([number]) }
    #expect(certificates.newestFirst == (13...20).reversed().map { [$0] })
    #expect(try OwnCertificates(encoded: certificates.encoded) == certificates)
    #expect(failure { _ = try OwnCertificates(encoded: Array(certificates.encoded.dropLast())) } is StoredFormError)
  }
}
