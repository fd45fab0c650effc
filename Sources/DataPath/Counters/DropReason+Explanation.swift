extension DropReason {
  /// One sentence for whoever reads the counters.
  package var explanation: String {
    switch self {
    case .noKeys: "No keys stand with the host that the frame is for."
    case .noDestination: "The destination is unknown and the network has no other host to flood to."
    case .tooLarge: "A guest sent a frame that is longer than the network's MTU allows."
    case .malformedFrame:
      "A guest's frame, or what its virtio header tells of it, contradicts itself or would become too many packets."
    case .overtaken: "A change came while a frame was sent that became very many packets: the rest of it was not sent."
    case .sendFailed: "The kernel did not take a packet for the underlay."
    case .underlayTooSmall: "The underlay carries no packets of this size: its MTU, or the network's, has to change."
    case .sequenceExhausted: "An SA has used up its sequence numbers before it was replaced."
    case .sealingFailed: "The library that encrypts refused a packet."
    case .notForThisPath: "The host that the frame is for is not reached by the packet path in user space."
    case .notESP: "A datagram came that holds no ESP packet."
    case .unknownSPI: "An ESP packet came for which there is no SA."
    case .wrongQueue: "An ESP packet came to another thread than that of its SA, as happens while sockets are opened."
    case .wrongPeer: "An ESP packet came from another address than that of the SA's other end."
    case .replayed: "An ESP packet came a second time, or so late that nobody can tell."
    case .integrity: "An ESP packet was changed on its way, or sealed with another key."
    case .malformedESP: "An ESP packet was opened, but its padding contradicts its length."
    case .dummy: "An ESP packet came that carries nothing, to hide how much traffic there is."
    case .wrongPort: "A tunnel packet came for another UDP port than that of VXLAN."
    case .wrongNetwork: "A tunnel packet came for a network that is not here, or that is carried otherwise."
    case .malformedTunnel: "A tunnel packet came whose UDP, VXLAN or GRE header no host of the pool writes."
    case .inboundTooLarge: "A frame came from another host that is longer than the network's MTU allows."
    case .tapRefused: "The TAP device of a network did not take a frame."
    }
  }
}
