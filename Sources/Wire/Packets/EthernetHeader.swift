/// The header of an Ethernet frame (IEEE 802.3) with at most one VLAN tag (IEEE 802.1Q, 802.1ad).
package struct EthernetHeader: Hashable, Sendable {
  package var destination: MACAddress
  package var source: MACAddress
  /// The VLAN ID, 0 to 4095, of a tagged frame.
  package var vlan: UInt16?
  /// The EtherType behind the tag; a length of IEEE 802.3 if below 1,536.
  package var type: UInt16
  /// Bytes up to the payload: 14, or 18 with a tag.
  package var size: Int

  package static let arp: UInt16 = 0x0806
  package static let rarp: UInt16 = 0x8035
  package static let ipv6: UInt16 = 0x86dd
  package static let customerTag: UInt16 = 0x8100
  package static let serviceTag: UInt16 = 0x88a8

  /// nil if the bytes end within the header.
  package init?(_ frame: UnsafeRawBufferPointer) {
    guard let destination = frame.mac(at: 0), let source = frame.mac(at: 6), let type = frame.number16(at: 12) else {
      return nil
    }
    self.destination = destination
    self.source = source
    if type == Self.customerTag || type == Self.serviceTag {
      guard let tag = frame.number16(at: 14), let inner = frame.number16(at: 16) else { return nil }
      vlan = tag & 0xfff
      self.type = inner
      size = 18
    } else {
      self.type = type
      size = 14
    }
  }
}

extension UnsafeRawBufferPointer {
  /// 16 bits in network order; nil if they are not all there.
  func number16(at offset: Int) -> UInt16? {
    guard offset >= 0, offset <= count - 2 else { return nil }
    return UInt16(self[offset]) << 8 | UInt16(self[offset + 1])
  }

  func number32(at offset: Int) -> UInt32? {
    guard let high = number16(at: offset), let low = number16(at: offset + 2) else { return nil }
    return UInt32(high) << 16 | UInt32(low)
  }

  func mac(at offset: Int) -> MACAddress? {
    guard offset >= 0, offset <= count - 6 else { return nil }
    return MACAddress(octets: self[offset..<offset + 6])
  }

  func ipv6(at offset: Int) -> IPAddress? {
    guard offset >= 0, offset <= count - 16 else { return nil }
    return IPAddress(bytes: Array(self[offset..<offset + 16]))
  }
}
