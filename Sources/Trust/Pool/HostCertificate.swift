import Crypto
import SwiftASN1
import Wire
import X509

/// A host certificate as read, its signature not yet checked: who it speaks of and who is said to have signed it.
struct HostCertificate {
  /// Certificates of Weft have about 500 bytes; anything much longer is not one.
  static let maximumSize = 4096

  let publicKey: HostPublicKey
  let issuerKeyIdentifier: ArraySlice<UInt8>?
  let issuerPool: PoolID?
  /// To be shown, and for nothing else: whoever made the certificate chose it.
  let issuerPoolName: String?
  let isSelfSigned: Bool
  private let certificate: Certificate

  init(der: [UInt8]) throws(TrustError) {
    guard der.count <= Self.maximumSize, let certificate = try? Certificate(derEncoded: der) else { throw .malformed }
    guard let key = P256.Signing.PublicKey(certificate.publicKey) else {
      throw .notHostCertificate(reason: "its key is not a P-256 key")
    }
    if case .isCertificateAuthority? = try? certificate.extensions.basicConstraints {
      throw .notHostCertificate(reason: "it is the certificate of a CA")
    }
    let publicKey = HostPublicKey(key)
    guard CertificateForm.text(.RDNAttributeType.commonName, in: certificate.subject) == publicKey.hostID.description
    else { throw .notHostCertificate(reason: "its name is not the hash of its key") }
    self.publicKey = publicKey
    self.certificate = certificate
    issuerKeyIdentifier = (try? certificate.extensions.authorityKeyIdentifier)?.keyIdentifier
    issuerPool = AuthorityCertificate.pool(in: certificate.issuer)
    issuerPoolName = CertificateForm.text(.RDNAttributeType.organizationName, in: certificate.issuer)
      .map { ShownText.line($0.utf8, limit: CertificateForm.maximumNameLength) }
    isSelfSigned =
      certificate.issuer == certificate.subject
      && certificate.publicKey.isValidSignature(certificate.signature, for: certificate)
  }

  func isSigned(by authority: P256.Signing.PublicKey) -> Bool {
    Certificate.PublicKey(authority).isValidSignature(certificate.signature, for: certificate)
  }
}
