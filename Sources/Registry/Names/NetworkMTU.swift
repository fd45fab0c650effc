import Wire

/// The largest IP packet that guests of a network may send.
package struct NetworkMTU: Hashable, Comparable, Sendable, CustomStringConvertible {
  package let value: UInt16

  /// From the smallest datagram that every IPv4 host takes (RFC 791) to the largest jumbo frame in common use.
  package static let range = 576...9000

  package init(_ value: Int) throws(RegistryError) {
    guard Self.range.contains(value), let value = UInt16(exactly: value) else { throw .invalidMTU(value) }
    self.value = value
  }

  package var description: String { String(value) }

  package static func < (left: Self, right: Self) -> Bool { left.value < right.value }

  /// The largest MTU that fits an underlay of `underlay` bytes; nil if none does.
  package init?(largestOn underlay: UInt32, encapsulation: Encapsulation, encryption: Encryption, isV6: Bool) {
    let overhead = Self.largestOverhead(encapsulation: encapsulation, encryption: encryption, isV6: isV6)
    let room = min(Int(underlay) - overhead, Self.range.upperBound)
    guard let mtu = try? NetworkMTU(room) else { return nil }
    self = mtu
  }

  /// Underlay MTU minus guest MTU of the costliest form that the network's frames can take between two hosts (ESP
  /// inside UDP if it is encrypted), with 4 bytes for a VLAN tag of the guest.
  package static func largestOverhead(encapsulation: Encapsulation, encryption: Encryption, isV6: Bool) -> Int {
    let base =
      switch (encapsulation, encryption) {
      case (.vxlan, .off): 50
      case (.gre, .off): 42
      case (.vxlan, .required): 92
      case (.gre, .required): 84
      }
    return base + (isV6 ? 20 : 0) + 4
  }
}
