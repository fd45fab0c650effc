/// Where the headers of an Ethernet frame are, from one look at it.
///
/// Reads up to two VLAN tags, IPv4 with options, IPv6 with extension headers, and the start of TCP and UDP. All offsets
/// are in bytes from the start of the frame, and lie within it.
package struct FrameLayout: Equatable {
  package static let ipv4: UInt16 = 0x0800
  package static let ipv6: UInt16 = 0x86dd
  package static let tcp: UInt8 = 6
  package static let udp: UInt8 = 17

  static let ethernetSize = 14
  private static let tagSize = 4
  private static let maximumTags = 2
  /// Extension headers that are walked before a packet counts as malformed: each kind comes once in an honest packet,
  /// destination options twice (RFC 8200, section 4.1).
  private static let maximumExtensions = 8

  /// Behind the VLAN tags; still a tag's if there are more than two.
  package private(set) var etherType: UInt16
  /// Of what is behind the Ethernet header and its tags.
  package private(set) var networkOffset: Int
  /// 4 or 6; 0 for what is not IP.
  package private(set) var networkVersion: UInt8 = 0
  /// Of what follows the IP headers; meaningless if it is not IP.
  package private(set) var protocolNumber: UInt8 = 0
  /// 0 if it is not IP, or a fragment without the start of what it is cut from.
  package private(set) var transportOffset = 0
  /// Behind the TCP or UDP header; `transportOffset` for other protocols, and for a fragment, which may end within it.
  package private(set) var payloadOffset = 0
  /// Behind the IP packet; what follows is Ethernet padding. The frame's end if it is not IP.
  package private(set) var endOffset: Int
  package private(set) var isFragment = false
  /// Options of IPv4, or extension headers of IPv6.
  package private(set) var hasOptions = false
  package private(set) var tcpSequence: UInt32 = 0
  /// The octet with the flags from CWR to FIN.
  package private(set) var tcpFlags: UInt8 = 0

  /// - Throws: `malformedFrame` if a header is cut off, or a length contradicts another.
  package init(_ frame: UnsafeRawBufferPointer) throws(DropReason) {
    guard let base = frame.baseAddress, frame.count >= Self.ethernetSize else { throw .malformedFrame }
    var offset = Self.ethernetSize
    var type = base.network16(12)
    var tags = 0
    while (type == 0x8100 || type == 0x88a8) && tags < Self.maximumTags {
      guard frame.count >= offset + Self.tagSize else { throw .malformedFrame }
      type = base.network16(offset + 2)
      offset += Self.tagSize
      tags += 1
    }
    etherType = type
    networkOffset = offset
    endOffset = frame.count
    if type == Self.ipv4 {
      try readIPv4(base + offset, count: frame.count - offset)
    } else if type == Self.ipv6 {
      try readIPv6(base + offset, count: frame.count - offset)
    } else {
      return
    }
    if transportOffset != 0 { try readTransport(base) }
  }

  /// RFC 791, section 3.1.
  private mutating func readIPv4(_ packet: UnsafeRawPointer, count: Int) throws(DropReason) {
    guard count >= 20 else { throw .malformedFrame }
    let first = packet.network8(0)
    let header = Int(first & 0xf) * 4
    let total = Int(packet.network16(2))
    guard first >> 4 == 4, header >= 20, total >= header, total <= count else { throw .malformedFrame }
    networkVersion = 4
    endOffset = networkOffset + total
    hasOptions = header > 20
    protocolNumber = packet.network8(9)
    let fragment = packet.network16(6)
    isFragment = fragment & 0x3fff != 0
    if fragment & 0x1fff == 0 { transportOffset = networkOffset + header }
  }

  /// RFC 8200, section 3. Jumbograms (RFC 2675) are malformed here: no network has such an MTU.
  private mutating func readIPv6(_ packet: UnsafeRawPointer, count: Int) throws(DropReason) {
    guard count >= 40, packet.network8(0) >> 4 == 6 else { throw .malformedFrame }
    let total = 40 + Int(packet.network16(4))
    guard total <= count else { throw .malformedFrame }
    networkVersion = 6
    endOffset = networkOffset + total
    var next = packet.network8(6)
    var offset = 40
    var extensions = 0
    while next == 0 || next == 43 || next == 44 || next == 60 {
      guard extensions < Self.maximumExtensions, total >= offset + 8 else { throw .malformedFrame }
      hasOptions = true
      if next == 44 {
        isFragment = true
        guard packet.network16(offset + 2) & 0xfff8 == 0 else {
          protocolNumber = packet.network8(offset)
          return
        }
        next = packet.network8(offset)
        offset += 8
      } else {
        let size = (Int(packet.network8(offset + 1)) + 1) * 8
        guard total >= offset + size else { throw .malformedFrame }
        next = packet.network8(offset)
        offset += size
      }
      extensions += 1
    }
    protocolNumber = next
    transportOffset = networkOffset + offset
  }

  private mutating func readTransport(_ base: UnsafeRawPointer) throws(DropReason) {
    let count = endOffset - transportOffset
    payloadOffset = transportOffset
    guard !isFragment else { return }
    switch protocolNumber {
    case Self.tcp:
      guard count >= 20 else { throw .malformedFrame }
      let header = Int(base.network8(transportOffset + 12) >> 4) * 4
      guard header >= 20, count >= header else { throw .malformedFrame }
      tcpSequence = base.network32(transportOffset + 4)
      tcpFlags = base.network8(transportOffset + 13)
      payloadOffset += header
    case Self.udp:
      guard count >= 8 else { throw .malformedFrame }
      payloadOffset += 8
    default: break
    }
  }
}
