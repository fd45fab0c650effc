import Crypto
import Wire

/// SHA-256 of a certificate's DER bytes, or of an eviction record.
package struct Fingerprint: Hashable, Comparable, Sendable, CustomStringConvertible {
  package static let size = 32
  package let bytes: [UInt8]

  package init(of content: [UInt8]) { bytes = Array(SHA256.hash(data: content)) }

  /// nil unless there are 32 bytes.
  package init?(bytes: [UInt8]) {
    guard bytes.count == Self.size else { return nil }
    self.bytes = bytes
  }

  package static func < (left: Self, right: Self) -> Bool { left.bytes.lexicographicallyPrecedes(right.bytes) }

  package var description: String { Hex.string(bytes) }
}
