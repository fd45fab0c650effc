import Crypto
import Wire

/// What makes a host itself: a P-256 signing key, whose hash is the host ID, and a static X25519 key for sealing gossip.
/// Both live as long as the host's state directory.
package struct HostIdentity: Sendable {
  package let publicKey: HostPublicKey
  let signingKey: P256.Signing.PrivateKey
  let agreementKey: Curve25519.KeyAgreement.PrivateKey

  private static let form = StoredForm(what: "the host's identity", letters: "WFid", version: 1)

  /// A new identity from the system's random source.
  package init() { self.init(P256.Signing.PrivateKey(), Curve25519.KeyAgreement.PrivateKey()) }

  private init(_ signingKey: P256.Signing.PrivateKey, _ agreementKey: Curve25519.KeyAgreement.PrivateKey) {
    self.signingKey = signingKey
    self.agreementKey = agreementKey
    publicKey = HostPublicKey(signingKey.publicKey)
  }

  /// Reads what `encoded` gave.
  package init(encoded: [UInt8]) throws(StoredFormError) {
    let payload = try Self.form.decode(encoded)
    guard payload.count == 64,
      let signingKey = try? P256.Signing.PrivateKey(rawRepresentation: payload[..<32]),
      let agreementKey = try? Curve25519.KeyAgreement.PrivateKey(rawRepresentation: payload[32...])
    else { throw .damaged(what: Self.form.what) }
    self.init(signingKey, agreementKey)
  }

  /// The stored form, secret: both private keys with a version and a checksum.
  package var encoded: [UInt8] {
    Self.form.encode(Array(signingKey.rawRepresentation) + Array(agreementKey.rawRepresentation))
  }

  package var hostID: HostID { publicKey.hostID }

  /// The static X25519 public key, 32 bytes: belongs into the host record.
  package var staticPublicKey: [UInt8] { Array(agreementKey.publicKey.rawRepresentation) }

  /// An ECDSA signature over the SHA-256 of `message`: 64 bytes, r and s.
  package func sign(_ message: [UInt8]) -> [UInt8] {
    do {
      return Array(try signingKey.signature(for: message).rawRepresentation)
    } catch {
      // A valid key in memory signs; anything else means that the process is out of memory or its library is broken.
      preconditionFailure("P-256 signing failed: \(error)")
    }
  }
}
