/// What a frame on a VIF tells about its sender: a MAC, and the IP address that it announces as its own, if any.
///
/// Read from the frame itself: the source MAC of the Ethernet header, and the sender's address in ARP (RFC 826), RARP
/// (RFC 903), and IPv6 neighbour discovery (RFC 4861). Whatever does not parse yields the MAC alone.
package struct Announcement: Hashable, Sendable {
  package var source: MACAddress
  package var kind: Kind
  /// Never unspecified, multicast or broadcast.
  package var address: IPAddress?

  package enum Kind: Hashable, Sendable {
    case arp
    case rarp
    /// ICMPv6 types 133 to 137.
    case neighbourDiscovery
    case other
  }

  package init(source: MACAddress, kind: Kind, address: IPAddress? = nil) {
    self.source = source
    self.kind = kind
    self.address = address
  }

  /// Reads a frame from its Ethernet header on, with at most one VLAN tag; more may follow or be missing.
  ///
  /// - Returns: nil if the frame is shorter than a header, or its source cannot be one station.
  package init?(frame: UnsafeRawBufferPointer) {
    guard let header = EthernetHeader(frame), header.source.isStation else { return nil }
    let payload = UnsafeRawBufferPointer(rebasing: frame[header.size...])
    switch header.type {
    case EthernetHeader.arp: self.init(source: header.source, kind: .arp, address: ARPMessage(payload)?.announced)
    case EthernetHeader.rarp: self.init(source: header.source, kind: .rarp)
    case EthernetHeader.ipv6:
      if let message = NeighbourMessage(payload) {
        self.init(source: header.source, kind: .neighbourDiscovery, address: message.announced(by: header.source))
      } else {
        self.init(source: header.source, kind: .other)
      }
    default: self.init(source: header.source, kind: .other)
    }
  }

  package init?(frame: [UInt8]) {
    guard let value = frame.withUnsafeBytes({ Announcement(frame: $0) }) else { return nil }
    self = value
  }
}
