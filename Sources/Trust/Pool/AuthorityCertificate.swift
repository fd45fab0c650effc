import Crypto
import SwiftASN1
import Wire
import X509

/// A pool's CA certificate as read: self-signed, with the pool's ID and name in it.
struct AuthorityCertificate: Sendable {
  let der: [UInt8]
  let fingerprint: Fingerprint
  let pool: PoolID
  let poolName: String
  let key: P256.Signing.PublicKey
  let subject: DistinguishedName
  let keyIdentifier: [UInt8]

  /// nil for anything that `PoolCA` would not have made.
  init?(der: [UInt8]) {
    guard der.count <= HostCertificate.maximumSize, let certificate = try? Certificate(derEncoded: der),
      let key = P256.Signing.PublicKey(certificate.publicKey),
      case .isCertificateAuthority? = try? certificate.extensions.basicConstraints,
      certificate.issuer == certificate.subject,
      certificate.publicKey.isValidSignature(certificate.signature, for: certificate),
      let pool = Self.pool(in: certificate.subject),
      let poolName = CertificateForm.text(.RDNAttributeType.organizationName, in: certificate.subject)
    else { return nil }
    self.der = der
    fingerprint = Fingerprint(of: der)
    self.pool = pool
    self.poolName = poolName
    self.key = key
    subject = certificate.subject
    keyIdentifier = Array(CertificateForm.keyIdentifier(key))
  }

  static let prefix = "weft pool "

  /// The pool's ID in the name of a CA.
  static func pool(in name: DistinguishedName) -> PoolID? {
    guard let text = CertificateForm.text(.RDNAttributeType.commonName, in: name), text.hasPrefix(prefix) else {
      return nil
    }
    return PoolID(String(text.dropFirst(prefix.count)))
  }
}
