/// An IEEE 802 48-bit MAC address.
package struct MACAddress: Hashable, Comparable, Sendable {
  /// The address in the low 48 bits, first octet highest.
  package let value: UInt64

  /// - Returns: nil if `value` does not fit in 48 bits.
  package init?(_ value: UInt64) {
    guard value < 1 << 48 else { return nil }
    self.value = value
  }

  /// Six octets in the order of the wire; nil if there are not six.
  package init?(octets: some Collection<UInt8>) {
    guard octets.count == 6 else { return nil }
    value = octets.reduce(0) { $0 << 8 | UInt64($1) }
  }

  /// `aa:bb:cc:dd:ee:ff`, also with `-` between the octets; nil for anything else.
  package init?(_ text: String) {
    let parts = text.split(whereSeparator: { $0 == ":" || $0 == "-" })
    guard parts.count == 6, text.utf8.count == 17 else { return nil }
    var value: UInt64 = 0
    for part in parts {
      guard part.utf8.count == 2, let octet = Hex.bytes(part)?.first else { return nil }
      value = value << 8 | UInt64(octet)
    }
    self.value = value
  }

  package static let broadcast = MACAddress(unchecked: 0xffff_ffff_ffff)
  package static let zero = MACAddress(unchecked: 0)

  private init(unchecked value: UInt64) { self.value = value }

  package var octets: [UInt8] { (0..<6).map { UInt8(truncatingIfNeeded: value >> (40 - 8 * UInt64($0))) } }

  /// The group bit of the first octet: multicast or broadcast, never the address of one station.
  package var isGroup: Bool { value >> 40 & 1 == 1 }

  /// Whether one station can have it: not a group address and not all zero.
  package var isStation: Bool { !isGroup && value != 0 }

  package static func < (left: Self, right: Self) -> Bool { left.value < right.value }
}

extension MACAddress: CustomStringConvertible {
  package var description: String {
    octets.map { Hex.string([$0]) }.joined(separator: ":")
  }
}
