import Crypto
import Wire

/// The key pair (X25519) of one epoch of this host. It is never stored and never shown; when it is gone, no key of its
/// epoch can be derived any more.
package struct EpochKey: Sendable {
  /// AES-256-GCM key and salt.
  package static let materialSize = 36
  private static let label = Array("weft esp 1".utf8)

  private let key: Curve25519.KeyAgreement.PrivateKey

  package init() { key = Curve25519.KeyAgreement.PrivateKey() }

  /// For known answers in tests.
  init?(raw: [UInt8]) {
    guard let key = try? Curve25519.KeyAgreement.PrivateKey(rawRepresentation: raw) else { return nil }
    self.key = key
  }

  /// 32 bytes: belongs into the host record.
  package var publicKey: [UInt8] { Array(key.publicKey.rawRepresentation) }

  /// The key material of the SA by which `sender` sends to `receiver`, one of which is this epoch of this host.
  ///
  /// HKDF-SHA256 (RFC 5869) without salt over the shared secret; the info is `weft esp 1`, and of the sender and then of
  /// the receiver: host ID (16 bytes), boot (counter and nonce, 8 bytes each), number (8 bytes), big-endian. So the two
  /// directions and every two epochs have keys of their own.
  ///
  /// - Returns: 36 bytes, an AES-256 key and 4 bytes of salt, as RFC 4106 section 8.1 orders them.
  package func material(
    sender: EpochEnd, receiver: EpochEnd, peerPublicKey: [UInt8]
  ) throws(EpochKeyError) -> [UInt8] {
    guard let peer = try? Curve25519.KeyAgreement.PublicKey(rawRepresentation: peerPublicKey),
      let secret = try? key.sharedSecretFromKeyAgreement(with: peer),
      secret.withUnsafeBytes({ $0.reduce(0, |) }) != 0
    else { throw .badPeerKey }
    var info = ByteWriter()
    info.append(Self.label)
    for end in [sender, receiver] {
      info.append(end.host)
      info.append(end.boot)
      info.append(end.number)
    }
    let output = secret.hkdfDerivedSymmetricKey(
      using: SHA256.self, salt: [UInt8](), sharedInfo: info.bytes, outputByteCount: Self.materialSize)
    return output.withUnsafeBytes { Array($0) }
  }
}

extension EpochKey: CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
  package var description: String { "an epoch's key" }
  package var debugDescription: String { description }
  package var customMirror: Mirror { Mirror(self, children: []) }
}
