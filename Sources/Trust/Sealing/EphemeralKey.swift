import Crypto

/// The X25519 key pair of one boot for sealing gossip. It is drawn at start and never stored, so what was sealed under
/// it cannot be opened once the agent has ended.
package struct EphemeralKey: Sendable {
  let key: Curve25519.KeyAgreement.PrivateKey

  package init() { key = Curve25519.KeyAgreement.PrivateKey() }

  /// For known answers in tests.
  init?(raw: [UInt8]) {
    guard let key = try? Curve25519.KeyAgreement.PrivateKey(rawRepresentation: raw) else { return nil }
    self.key = key
  }

  /// 32 bytes: belongs into the host record.
  package var publicKey: [UInt8] { Array(key.publicKey.rawRepresentation) }
}
