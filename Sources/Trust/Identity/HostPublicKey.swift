import Crypto
import Wire

/// A host's P-256 identity key as others know it.
package struct HostPublicKey: Hashable, Sendable {
  /// X9.63: 0x04, x, y; 65 bytes.
  package let x963: [UInt8]
  /// The first 128 bits of the SHA-256 of `x963`.
  package let hostID: HostID
  let key: P256.Signing.PublicKey

  /// nil if the bytes are not a point of the curve in X9.63 form.
  package init?(x963: [UInt8]) {
    guard x963.count == 65, let key = try? P256.Signing.PublicKey(x963Representation: x963) else { return nil }
    self.init(key)
  }

  init(_ key: P256.Signing.PublicKey) {
    self.key = key
    x963 = Array(key.x963Representation)
    var words: (UInt64, UInt64) = (0, 0)
    for (index, byte) in SHA256.hash(data: x963).prefix(16).enumerated() {
      if index < 8 { words.0 = words.0 << 8 | UInt64(byte) } else { words.1 = words.1 << 8 | UInt64(byte) }
    }
    hostID = HostID(high: words.0, low: words.1)
  }

  /// Whether `signature` (64 bytes, r and s) over the SHA-256 of `message` was made by this key (FIPS 186-5 section 6).
  package func verify(_ signature: [UInt8], of message: [UInt8]) -> Bool {
    guard let parsed = try? P256.Signing.ECDSASignature(rawRepresentation: signature) else { return false }
    return key.isValidSignature(parsed, for: message)
  }

  package static func == (left: Self, right: Self) -> Bool { left.x963 == right.x963 }

  package func hash(into hasher: inout Hasher) { hasher.combine(x963) }
}
