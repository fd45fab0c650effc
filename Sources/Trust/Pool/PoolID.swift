import Crypto
import Wire

/// A pool's name for ever: 128 random bits, drawn by `pool init` and written into its CA certificates.
package struct PoolID: Identifier128 {
  package let high: UInt64
  package let low: UInt64

  package init(high: UInt64, low: UInt64) {
    self.high = high
    self.low = low
  }

  /// A new one from the system's random source.
  package static func random() -> PoolID {
    var generator = SystemRandomNumberGenerator()
    return PoolID(high: generator.next(), low: generator.next())
  }

  /// 32 hexadecimal digits.
  package init?(_ text: String) {
    guard let bytes = Hex.bytes(text), bytes.count == 16 else { return nil }
    self.init(bytes: bytes)
  }

  package var description: String { Hex.string(bytes) }
}
