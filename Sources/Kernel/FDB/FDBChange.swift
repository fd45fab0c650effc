import CNetlink
import Wire

/// One change of a forwarding table, or of who gets copies of flooded frames. All are replacements or can be repeated
/// without harm.
package enum FDBChange: Hashable, Sendable {
  /// The MAC is behind this VTEP: an entry in the VXLAN device and one in its bridge that points at the device, in one
  /// message. Whatever stood there, on whichever port, is replaced in one step.
  case setRemote(MACAddress, tunnel: Int32, VTEP)
  /// Only the VXLAN device's own entry.
  case setTunnelEntry(MACAddress, tunnel: Int32, VTEP)
  /// The MAC is behind this bridge port.
  case setPort(MACAddress, port: Int32)
  case removeTunnelEntry(MACAddress, tunnel: Int32)
  /// Removes the bridge's entry if it still points at this port.
  case removePort(MACAddress, port: Int32)
  /// Adds a VTEP to those that get a copy of each broadcast, unknown and multicast frame.
  case addFlood(tunnel: Int32, VTEP)
  case removeFlood(tunnel: Int32, VTEP)
  /// Whether broadcast, unknown and multicast frames go out at this bridge port.
  case setFlooding(port: Int32, Bool)

  func message() -> NetlinkMessage {
    switch self {
    case .setRemote(let mac, let tunnel, let vtep):
      Self.entry(RTM_NEWNEIGH, Self.replace, NTF_SELF | NTF_MASTER, tunnel, mac, vtep)
    case .setTunnelEntry(let mac, let tunnel, let vtep):
      Self.entry(RTM_NEWNEIGH, Self.replace, NTF_SELF, tunnel, mac, vtep)
    case .setPort(let mac, let port): Self.entry(RTM_NEWNEIGH, Self.replace, NTF_MASTER, port, mac, nil)
    case .removeTunnelEntry(let mac, let tunnel): Self.entry(RTM_DELNEIGH, 0, NTF_SELF, tunnel, mac, nil)
    case .removePort(let mac, let port): Self.entry(RTM_DELNEIGH, 0, NTF_MASTER, port, mac, nil)
    case .addFlood(let tunnel, let vtep):
      Self.entry(RTM_NEWNEIGH, NLM_F_CREATE | NLM_F_APPEND, NTF_SELF, tunnel, .zero, vtep)
    case .removeFlood(let tunnel, let vtep): Self.entry(RTM_DELNEIGH, 0, NTF_SELF, tunnel, .zero, vtep)
    case .setFlooding(let port, let floods):
      KernelNetwork.portFlags(port, learning: nil, isolated: nil, floods: floods)
    }
  }

  private static let replace = NLM_F_CREATE | NLM_F_REPLACE

  /// `NUD_NOARP` makes the bridge's entry static; VXLAN wants `NUD_REACHABLE` too.
  static func entry(
    _ type: Int, _ flags: Int32, _ tables: Int32, _ device: Int32, _ mac: MACAddress, _ vtep: VTEP?
  ) -> NetlinkMessage {
    var header = ndmsg()
    header.ndm_family = 7
    header.ndm_ifindex = device
    header.ndm_state = UInt16(NUD_NOARP | NUD_REACHABLE)
    header.ndm_flags = UInt8(tables)
    var message = NetlinkMessage(type: type, flags: flags, header)
    message.put(NDA_LLADDR, mac: mac)
    if let vtep { message.put(NDA_DST, bytes: vtep.bytes) }
    return message
  }
}

extension FDBChange: CustomStringConvertible {
  package var description: String {
    switch self {
    case .setRemote(let mac, _, let vtep), .setTunnelEntry(let mac, _, let vtep): "\(mac) at \(vtep)"
    case .setPort(let mac, let port), .removePort(let mac, let port): "\(mac) on interface \(port)"
    case .removeTunnelEntry(let mac, _): "\(mac)"
    case .addFlood(_, let vtep), .removeFlood(_, let vtep): "\(vtep) of the flood list"
    case .setFlooding(let port, let floods): "interface \(port) floods: \(floods ? "yes" : "no")"
    }
  }

  /// A removal that finds nothing has reached its aim.
  var isRemoval: Bool {
    switch self {
    case .removeTunnelEntry, .removePort, .removeFlood, .setFlooding(_, false): true
    case .setRemote, .setTunnelEntry, .setPort, .addFlood, .setFlooding(_, true): false
    }
  }
}
