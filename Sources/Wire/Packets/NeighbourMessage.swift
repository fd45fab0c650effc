/// An IPv6 neighbour discovery message (RFC 4861): ICMPv6 types 133 to 137, straight behind the IPv6 header, as the
/// protocol wants it (hop limit 255, no routing or fragment header).
package struct NeighbourMessage: Hashable, Sendable {
  package var type: UInt8
  package var source: IPAddress
  /// The target of a solicitation, an advertisement or a redirect.
  package var target: IPAddress?
  /// The source (type 1) or target (type 2) link-layer address option.
  package var sourceMAC: MACAddress?
  package var targetMAC: MACAddress?

  package static let routerSolicitation: UInt8 = 133
  package static let routerAdvertisement: UInt8 = 134
  package static let solicitation: UInt8 = 135
  package static let advertisement: UInt8 = 136
  package static let redirect: UInt8 = 137

  /// nil for everything else, and for what is too short for its fixed part. Options that are cut off are left out.
  package init?(_ packet: UnsafeRawBufferPointer) {
    guard packet.count > 40, packet[0] >> 4 == 6, packet[6] == 58, packet[7] == 255,
      let source = packet.ipv6(at: 8), (Self.routerSolicitation...Self.redirect).contains(packet[40])
    else { return nil }
    type = packet[40]
    self.source = source
    let options: Int
    switch type {
    case Self.solicitation, Self.advertisement:
      guard let target = packet.ipv6(at: 48) else { return nil }
      self.target = target
      options = 64
    case Self.redirect: options = 80
    case Self.routerAdvertisement: options = 56
    default: options = 48
    }
    readOptions(packet, from: options)
  }

  private mutating func readOptions(_ packet: UnsafeRawBufferPointer, from start: Int) {
    var position = start
    while position + 8 <= packet.count {
      let length = Int(packet[position + 1]) * 8
      guard length > 0, position + length <= packet.count else { return }
      if packet[position] == 1 { sourceMAC = packet.mac(at: position + 2) }
      if packet[position] == 2 { targetMAC = packet.mac(at: position + 2) }
      position += length
    }
  }

  /// The address that the frame's sender claims as its own. In an advertisement the target, unless it speaks for another
  /// station (proxy); otherwise the packet's source; nothing while it only tries an address out (source `::`).
  package func announced(by sender: MACAddress) -> IPAddress? {
    if type == Self.advertisement, let target, target.isUnicast, targetMAC == nil || targetMAC == sender {
      return target
    }
    return source.isUnicast ? source : nil
  }
}
