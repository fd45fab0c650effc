/// 128 bits that name something for ever, ordered as big-endian numbers.
///
/// The shared ground of `HostID` and `NetworkID`; kept as two words so that a table lookup hashes no array.
package protocol Identifier128: Hashable, Comparable, Sendable, CustomStringConvertible {
  var high: UInt64 { get }
  var low: UInt64 { get }
  init(high: UInt64, low: UInt64)
}

extension Identifier128 {
  /// The first 16 bytes of `bytes`; nil if there are fewer.
  package init?(bytes: some Sequence<UInt8>) {
    var words: (UInt64, UInt64) = (0, 0)
    var count = 0
    for byte in bytes.prefix(16) {
      if count < 8 { words.0 = words.0 << 8 | UInt64(byte) } else { words.1 = words.1 << 8 | UInt64(byte) }
      count += 1
    }
    guard count == 16 else { return nil }
    self.init(high: words.0, low: words.1)
  }

  package var bytes: [UInt8] {
    var writer = ByteWriter(capacity: 16)
    writer.append(high)
    writer.append(low)
    return writer.bytes
  }

  package static func < (left: Self, right: Self) -> Bool {
    left.high != right.high ? left.high < right.high : left.low < right.low
  }
}

/// A host's name for ever: the first 128 bits of the SHA-256 of its P-256 identity key (X9.63 form).
package struct HostID: Identifier128 {
  package let high: UInt64
  package let low: UInt64

  package init(high: UInt64, low: UInt64) {
    self.high = high
    self.low = low
  }

  /// 32 hexadecimal digits.
  package init?(_ text: String) {
    guard let bytes = Hex.bytes(text), bytes.count == 16 else { return nil }
    self.init(bytes: bytes)
  }

  package var description: String { Hex.string(bytes) }
}

/// The UUID of a private network (RFC 9562).
package struct NetworkID: Identifier128 {
  package let high: UInt64
  package let low: UInt64

  package init(high: UInt64, low: UInt64) {
    self.high = high
    self.low = low
  }

  /// A version 4 UUID from 128 random bits.
  package init(random high: UInt64, _ low: UInt64) {
    self.init(high: high & ~0xf000 | 0x4000, low: low & ~(3 << 62) | 2 << 62)
  }

  /// `xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx`, upper or lower case.
  package init?(_ text: String) {
    let groups = text.split(separator: "-", omittingEmptySubsequences: false)
    guard groups.map(\.utf8.count) == [8, 4, 4, 4, 12], let bytes = Hex.bytes(groups.joined()) else { return nil }
    self.init(bytes: bytes)
  }

  package var description: String {
    let digits = Hex.string(bytes)
    var text = ""
    for (index, digit) in digits.enumerated() {
      if [8, 12, 16, 20].contains(index) { text.append("-") }
      text.append(digit)
    }
    return text
  }
}

extension ByteWriter {
  package mutating func append(_ value: some Identifier128) {
    append(value.high)
    append(value.low)
  }
}

extension ByteReader {
  package mutating func readHostID() throws(WireError) -> HostID {
    HostID(high: try readUInt64("host ID"), low: try readUInt64("host ID"))
  }

  package mutating func readNetworkID() throws(WireError) -> NetworkID {
    NetworkID(high: try readUInt64("network ID"), low: try readUInt64("network ID"))
  }
}
