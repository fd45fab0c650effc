import Crypto
import FoundationEssentials
import SwiftASN1
import Wire
import X509

/// The shape of Weft's certificates (RFC 5280): version 3, P-256, ECDSA with SHA-256, without an end that means anything.
/// The host ID or pool ID is the common name, the pool's name the organization.
enum CertificateForm {
  /// Common names hold at most 64 characters (RFC 5280 appendix A.1), and so do organizations.
  static let maximumNameLength = 64

  static func makeAuthority(pool: PoolID, name: String, key: P256.Signing.PrivateKey) throws -> [UInt8] {
    let subject = try DistinguishedName {
      CommonName("\(AuthorityCertificate.prefix)\(pool)")
      OrganizationName(name)
    }
    let extensions = try Certificate.Extensions {
      Critical(BasicConstraints.isCertificateAuthority(maxPathLength: 0))
      Critical(KeyUsage(keyCertSign: true))
      SubjectKeyIdentifier(hash: Certificate.PublicKey(key.publicKey))
    }
    return try make(
      publicKey: key.publicKey, subject: subject, issuer: subject, extensions: extensions, signedBy: key)
  }

  static func makeHost(
    _ host: HostPublicKey, issuer: DistinguishedName, poolName: String, signedBy key: P256.Signing.PrivateKey
  ) throws -> [UInt8] {
    let extensions = try Certificate.Extensions {
      Critical(BasicConstraints.notCertificateAuthority)
      Critical(KeyUsage(digitalSignature: true))
      try ExtendedKeyUsage([.serverAuth, .clientAuth])
      AuthorityKeyIdentifier(keyIdentifier: keyIdentifier(key.publicKey))
    }
    return try make(
      publicKey: host.key, subject: try hostName(host.hostID, poolName: poolName), issuer: issuer,
      extensions: extensions, signedBy: key)
  }

  /// What a host shows before it has joined: its own signature only.
  static func makeStranger(_ identity: HostIdentity) throws -> [UInt8] {
    let name = try hostName(identity.hostID, poolName: nil)
    let extensions = try Certificate.Extensions {
      Critical(BasicConstraints.notCertificateAuthority)
      Critical(KeyUsage(digitalSignature: true))
    }
    return try make(
      publicKey: identity.publicKey.key, subject: name, issuer: name, extensions: extensions,
      signedBy: identity.signingKey)
  }

  static func keyIdentifier(_ key: P256.Signing.PublicKey) -> ArraySlice<UInt8> {
    SubjectKeyIdentifier(hash: Certificate.PublicKey(key)).keyIdentifier
  }

  static func text(_ type: ASN1ObjectIdentifier, in name: DistinguishedName) -> String? {
    for part in name {
      for attribute in part where attribute.type == type { return String(attribute.value) }
    }
    return nil
  }

  private static func hostName(_ host: HostID, poolName: String?) throws -> DistinguishedName {
    try DistinguishedName {
      CommonName(host.description)
      if let poolName { OrganizationName(poolName) }
    }
  }

  // No code of Weft reads the dates. They are fixed, so that no certificate depends on a clock: 2000-01-01, and the
  // value that RFC 5280 section 4.1.2.5 gives to certificates without an end.
  private static func make(
    publicKey: P256.Signing.PublicKey, subject: DistinguishedName, issuer: DistinguishedName,
    extensions: Certificate.Extensions, signedBy key: P256.Signing.PrivateKey
  ) throws -> [UInt8] {
    let certificate = try Certificate(
      version: .v3, serialNumber: Certificate.SerialNumber(), publicKey: Certificate.PublicKey(publicKey),
      notValidBefore: Date(timeIntervalSince1970: 946_684_800),
      notValidAfter: Date(timeIntervalSince1970: 253_402_300_799), issuer: issuer, subject: subject,
      signatureAlgorithm: .ecdsaWithSHA256, extensions: extensions, issuerPrivateKey: Certificate.PrivateKey(key))
    var serializer = DER.Serializer()
    try serializer.serialize(certificate)
    return serializer.serializedBytes
  }
}
