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

  /// The largest MTU whose full-size frames, with a VLAN tag, an underlay of `underlay` bytes carries; nil if none does.
  package init?(largestOn underlay: Int, encapsulation: Encapsulation, encryption: Encryption, isV6: Bool) {
    let carriage = Carriage(encapsulation: encapsulation, encryption: encryption, isV6: isV6)
    let room = min(carriage.largestFrame(on: underlay) - Self.frameHeader, Self.range.upperBound)
    guard let mtu = try? NetworkMTU(room) else { return nil }
    self = mtu
  }

  /// The underlay packet of a full-size frame with a VLAN tag, in the costliest form that the network's frames can take
  /// between two hosts (ESP inside UDP if it is encrypted), in bytes: what the underlay's MTU has to be.
  package func underlayNeeded(encapsulation: Encapsulation, encryption: Encryption, isV6: Bool) -> Int {
    Carriage(encapsulation: encapsulation, encryption: encryption, isV6: isV6)
      .packet(frame: Int(value) + Self.frameHeader)
  }

  /// Ethernet header and one VLAN tag of the guest.
  private static let frameHeader = 14 + 4
}

/// What is put around a guest's frame. All sizes are in bytes.
private struct Carriage {
  let encapsulation: Encapsulation
  let encryption: Encryption
  let isV6: Bool

  private static let udp = 8
  /// SPI and sequence number, IV (RFC 4303; RFC 4106, section 3.1).
  private static let espHeader = 8 + 8
  private static let espTrailer = 2
  private static let espICV = 16
  /// Payload, padding and trailer end at a multiple of it (RFC 4303, section 2.4).
  private static let espAlignment = 4

  /// UDP with VXLAN (RFC 7348), or GRE with its key (RFC 2890).
  private var tunnelHeader: Int { encapsulation == .vxlan ? Self.udp + 8 : 4 + 4 }
  private var ipHeader: Int { isV6 ? 40 : 20 }
  /// What ESP inside UDP has in front of its payload and behind its trailer.
  private static let espFrame = udp + espHeader + espICV

  func packet(frame: Int) -> Int {
    let inner = tunnelHeader + frame
    switch encryption {
    case .off: return ipHeader + inner
    case .required:
      let padded = (inner + Self.espTrailer + Self.espAlignment - 1) & -Self.espAlignment
      return ipHeader + Self.espFrame + padded
    }
  }

  /// The largest frame whose packet is no longer than `underlay`. Below 0 if none is.
  func largestFrame(on underlay: Int) -> Int {
    let room = underlay - ipHeader
    let inner =
      switch encryption {
      case .off: room
      case .required: ((room - Self.espFrame) & -Self.espAlignment) - Self.espTrailer
      }
    return inner - tunnelHeader
  }
}
