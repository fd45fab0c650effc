import Crypto
import Wire

/// Why a pool's CA cannot be made or used.
package enum PoolCAError: Error, Equatable, CustomStringConvertible {
  case name
  case notAuthority
  case keyMismatch
  case encoding(String)

  package var description: String {
    switch self {
    case .name: "A pool's name has 1 to 64 characters: choose another with --name."
    case .notAuthority: "The certificate is not that of a pool's CA: fetch it again from another host of the pool."
    case .keyMismatch: "The CA's private key does not belong to its certificate: fetch both again from another host."
    case .encoding(let why): "The certificate could not be made: \(why)."
    }
  }
}

/// A pool's CA with its private key. Every host of the pool holds it, so that any of them can admit.
package struct PoolCA: Sendable {
  let authority: AuthorityCertificate
  private let key: P256.Signing.PrivateKey

  private static let form = StoredForm(what: "the pool's CA key", letters: "WFca", version: 1)

  /// Draws a new key and makes its self-signed certificate.
  package init(poolName: String, pool: PoolID) throws(PoolCAError) {
    guard (1...CertificateForm.maximumNameLength).contains(poolName.utf8.count) else { throw .name }
    let key = P256.Signing.PrivateKey()
    let certificate: [UInt8]
    do {
      certificate = try CertificateForm.makeAuthority(pool: pool, name: poolName, key: key)
    } catch {
      throw .encoding("\(error)")
    }
    try self.init(privateKey: Array(key.rawRepresentation), certificate: certificate)
  }

  /// Puts together what another host sent: 32 bytes of private key and the certificate in DER.
  package init(privateKey: [UInt8], certificate: [UInt8]) throws(PoolCAError) {
    guard let authority = AuthorityCertificate(der: certificate) else { throw .notAuthority }
    guard privateKey.count == 32, let key = try? P256.Signing.PrivateKey(rawRepresentation: privateKey),
      key.publicKey.rawRepresentation == authority.key.rawRepresentation
    else { throw .keyMismatch }
    self.authority = authority
    self.key = key
  }

  /// Reads what `encoded` gave.
  package init(encoded: [UInt8]) throws(StoredFormError) {
    let payload = try Self.form.decode(encoded)
    do {
      var reader = ByteReader(payload)
      let privateKey = try reader.readBlock16()
      let certificate = try reader.readBlock16()
      try reader.expectEnd()
      try self.init(privateKey: privateKey, certificate: certificate)
    } catch {
      throw .damaged(what: Self.form.what)
    }
  }

  /// The stored form, secret: key and certificate with a version and a checksum.
  package var encoded: [UInt8] {
    var writer = ByteWriter()
    writer.appendBlock16(privateKey)
    writer.appendBlock16(certificate)
    return Self.form.encode(writer.bytes)
  }

  /// X.509, DER.
  package var certificate: [UInt8] { authority.der }

  /// 32 bytes, secret: for hosts of the pool only.
  package var privateKey: [UInt8] { Array(key.rawRepresentation) }

  /// SHA-256 of the certificate: what a token pins.
  package var fingerprint: Fingerprint { authority.fingerprint }

  package var pool: PoolID { authority.pool }

  package var poolName: String { authority.poolName }

  /// A certificate for a host of the pool, X.509 in DER. It has no end; only an eviction takes its worth.
  package func issue(for host: HostPublicKey) throws(PoolCAError) -> [UInt8] {
    do {
      return try CertificateForm.makeHost(host, issuer: authority.subject, poolName: poolName, signedBy: key)
    } catch {
      throw .encoding("\(error)")
    }
  }
}
