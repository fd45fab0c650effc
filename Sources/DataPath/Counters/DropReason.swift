/// Why a packet or a frame went no further. Each is counted on its own; the raw value is the place in the counters.
package enum DropReason: UInt8, CaseIterable, Error {
  // MARK: From a guest to another host

  /// No keys stand with the host that the frame is for.
  case noKeys
  /// Nobody is known behind the destination, and the network has nobody to flood to.
  case noDestination
  /// The frame is longer than the network's MTU allows.
  case tooLarge
  /// The frame, or what its virtio header tells of it, contradicts itself, or it would become too many packets.
  case malformedFrame
  /// A change came while this frame was being sent, which became very many packets: its rest was not sent.
  case overtaken
  /// The kernel did not take the packet for the underlay. What a queue of the underlay drops afterwards is not among them.
  case sendFailed
  /// The sealed packet is longer than the underlay's MTU towards the host; none is ever sent in fragments.
  case underlayTooSmall
  /// The SA has used up its sequence numbers (RFC 4303, section 3.3.3).
  case sequenceExhausted
  /// The library that encrypts refused.
  case sealingFailed
  /// The host that the frame is for is not reached by this packet path.
  case notForThisPath

  // MARK: From another host to a guest

  /// The datagram holds no ESP: too short, a keepalive, or the non-ESP marker (RFC 3948, section 2).
  case notESP
  /// There is no SA with this SPI.
  case unknownSPI
  /// The kernel gave the packet to the thread of another queue than that of its SA, as it does while sockets are opened.
  case wrongQueue
  /// The packet came from another address than that of the SA's other end.
  case wrongPeer
  /// The sequence number was seen before, or is behind the window (RFC 4303, section 3.4.3). What is so old and was
  /// changed on its way, too, is counted here.
  case replayed
  /// The integrity check value does not fit the packet.
  case integrity
  /// The padding or the length of the opened packet contradicts itself (RFC 4303, section 2.4).
  case malformedESP
  /// The packet carries nothing, by next header 59 (RFC 4303, section 2.6).
  case dummy
  /// The opened packet is for another UDP port than that of VXLAN.
  case wrongPort
  /// The frame is of a network that is not here, or that another encapsulation carries.
  case wrongNetwork
  /// The UDP, VXLAN or GRE header is not one that a host of the pool writes.
  case malformedTunnel
  /// The frame is longer than the MTU of its network allows.
  case inboundTooLarge
  /// The TAP device did not take the frame.
  case tapRefused

  package static let count = allCases.count

  /// As counters are named to the outside.
  package var name: String { String(describing: self) }
}
