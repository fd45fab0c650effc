/// What `InboundSA` made of a packet.
package enum OpenedPacket: Equatable, Sendable {
  /// The payload stands `offset` bytes into the packet. A packet of no payload or with next header 59, which carries
  /// nothing (RFC 4303, section 2.6), comes this way, too.
  case payload(offset: Int, length: Int, nextHeader: UInt8)
  case dropped(DropReason)
}
