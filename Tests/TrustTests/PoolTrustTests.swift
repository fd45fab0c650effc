import Crypto
import Testing
import Wire
import X509

@testable import Trust

@Suite struct PoolTrustTests {
  @Test func `A certificate of the pool's CA is trusted as that of its host`() throws {
    let pool = try TestPool()
    let trusted = try pool.trust.trust(pool.certificate(0))
    #expect(trusted.id == pool.hosts[0].hostID)
    #expect(trusted.key == pool.hosts[0].publicKey)
  }

  @Test func `The pool's ID and name are in its CA certificate`() throws {
    let id = PoolID.random()
    let ca = try PoolCA(poolName: "Büro 2", pool: id)
    let trust = try PoolTrust(rootCertificate: ca.certificate)
    #expect(trust.pool == id)
    #expect(trust.poolName == "Büro 2")
    #expect(trust.currentCA == ca.fingerprint)
    #expect(trust.caCertificates == [ca.certificate])
  }

  @Test func `A pool name that fits no certificate is refused`() {
    for name in ["", String(repeating: "x", count: 65)] {
      #expect(failure { _ = try PoolCA(poolName: name, pool: .random()) } as? PoolCAError == .name)
    }
  }

  @Test func `A certificate of another pool is refused by the name of that pool`() throws {
    let (pool, other) = (try TestPool(), try TestPool(name: "west"))
    #expect(
      failure { _ = try pool.trust.trust(other.certificate(0)) } as? TrustError == .otherPool(name: "west"))
  }

  @Test func `The name of another pool is shown without what would harm a terminal`() throws {
    let (pool, other) = (try TestPool(), try TestPool(name: "we\u{1b}[2Jst\n"))
    #expect(
      failure { _ = try pool.trust.trust(other.certificate(0)) } as? TrustError == .otherPool(name: "we [2Jst "))
  }

  @Test func `A CA that copies the name and ID of the pool is not the pool's CA`() throws {
    let pool = try TestPool()
    let copy = try PoolCA(poolName: pool.ca.poolName, pool: pool.ca.pool)
    let certificate = try copy.issue(for: pool.hosts[0].publicKey)
    #expect(failure { _ = try pool.trust.trust(certificate) } as? TrustError == .unknownCA(pool.hosts[0].hostID))
  }

  @Test func `A self-signed certificate is that of a host that has not joined`() throws {
    let pool = try TestPool()
    let stranger = HostIdentity()
    let certificate = try CertificateForm.makeStranger(stranger)
    #expect(failure { _ = try pool.trust.trust(certificate) } as? TrustError == .notJoined(stranger.hostID))
  }

  @Test func `A CA's certificate is not a host's`() throws {
    let pool = try TestPool()
    #expect(
      failure { _ = try pool.trust.trust(pool.ca.certificate) } as? TrustError
        == .notHostCertificate(reason: "it is the certificate of a CA"))
  }

  @Test func `A host cannot sign certificates for others`() throws {
    let pool = try TestPool()
    let child = HostIdentity()
    let issuer = try Certificate(derEncoded: pool.certificate(0)).subject
    let certificate = try CertificateForm.makeHost(
      child.publicKey, issuer: issuer, poolName: "east", signedBy: pool.hosts[0].signingKey)
    #expect(failure { _ = try pool.trust.trust(certificate) } as? TrustError == .otherPool(name: "east"))
  }

  @Test func `A certificate whose name is not the hash of its key is refused`() throws {
    let pool = try TestPool()
    let key = P256.Signing.PrivateKey()
    let name = try DistinguishedName { CommonName(pool.hosts[0].hostID.description) }
    let certificate = try Self.selfSigned(.init(key), subject: name)
    #expect(
      failure { _ = try pool.trust.trust(certificate) } as? TrustError
        == .notHostCertificate(reason: "its name is not the hash of its key"))
  }

  @Test func `A certificate with a key that is not P-256 is refused`() throws {
    let pool = try TestPool()
    let certificate = try Self.selfSigned(
      .init(P384.Signing.PrivateKey()), subject: try DistinguishedName { CommonName("x") })
    #expect(
      failure { _ = try pool.trust.trust(certificate) } as? TrustError
        == .notHostCertificate(reason: "its key is not a P-256 key"))
  }

  @Test func `Bytes that are no certificate are refused as malformed`() throws {
    let pool = try TestPool()
    for bytes in [[], [0x30], [UInt8](repeating: 0x30, count: 600), [UInt8](repeating: 0, count: 100_000)] {
      #expect(failure { _ = try pool.trust.trust(bytes) } as? TrustError == .malformed)
    }
  }

  @Test func `A pool's trust starts from nothing but a CA certificate`() throws {
    let pool = try TestPool()
    let leaf = try pool.certificate(0)
    #expect(failure { _ = try PoolTrust(rootCertificate: leaf) } as? PoolCAError == .notAuthority)
    #expect(failure { _ = try PoolTrust(rootCertificate: []) } as? PoolCAError == .notAuthority)
  }

  @Test func `A CA travels as key and certificate and signs the same elsewhere`() throws {
    let pool = try TestPool()
    let sent = try PoolCA(privateKey: pool.ca.privateKey, certificate: pool.ca.certificate)
    let stored = try PoolCA(encoded: pool.ca.encoded)
    for ca in [sent, stored] {
      #expect(ca.fingerprint == pool.ca.fingerprint)
      _ = try pool.trust.trust(ca.issue(for: HostIdentity().publicKey))
    }
    let other = try TestPool()
    #expect(
      failure { _ = try PoolCA(privateKey: other.ca.privateKey, certificate: pool.ca.certificate) } as? PoolCAError
        == .keyMismatch)
    #expect(
      failure { _ = try PoolCA(privateKey: [1], certificate: pool.ca.certificate) } as? PoolCAError == .keyMismatch)
  }

  @Test func `Certificates have no end and depend on no clock`() throws {
    let pool = try TestPool()
    for der in [pool.ca.certificate, try pool.certificate(0)] {
      let certificate = try Certificate(derEncoded: der)
      #expect(certificate.version == .v3)
      // 9999-12-31 23:59:59 and 2000-01-01, in seconds from 1970.
      #expect(certificate.notValidAfter.timeIntervalSince1970 == 253_402_300_799)
      #expect(certificate.notValidBefore.timeIntervalSince1970 == 946_684_800)
    }
  }

  private static func selfSigned(_ key: Certificate.PrivateKey, subject: DistinguishedName) throws -> [UInt8] {
    let date = try Certificate(derEncoded: PoolCA(poolName: "x", pool: .random()).certificate).notValidBefore
    let certificate = try Certificate(
      version: .v3, serialNumber: Certificate.SerialNumber(), publicKey: key.publicKey, notValidBefore: date,
      notValidAfter: date, issuer: subject, subject: subject, extensions: Certificate.Extensions(),
      issuerPrivateKey: key)
    return try certificate.serializeAsPEM().derBytes
  }
}
