import CNetlink
import Wire

/// One entry of a forwarding table: of a bridge (which port a MAC is behind) or of a VXLAN device (which VTEP).
package struct FDBEntry: Hashable, Sendable {
  /// The bridge port, or the VXLAN device.
  package var device: Int32
  package var mac: MACAddress
  package var table: Table
  package var state: State
  /// The bridge's VLAN; nil without one.
  package var vlan: UInt16?

  package enum Table: Hashable, Sendable {
    /// The table of the bridge that the device is a port of.
    case bridge(Int32)
    /// The device's own table (VXLAN), with the VTEP; nil for what has none.
    case device(VTEP?)
  }

  package enum State: Hashable, Sendable {
    /// The device's own address: frames to it are for the host.
    case permanent
    /// Set by hand, does not age.
    case fixed
    /// Learned from a frame, or set to age.
    case dynamic
  }

  /// From the payload of `RTM_NEWNEIGH` or `RTM_DELNEIGH`; nil for neighbours of IP and for what is too short.
  init?(_ payload: UnsafeRawBufferPointer) {
    let size = MemoryLayout<ndmsg>.size
    guard payload.count >= size else { return nil }
    let header = payload.loadUnaligned(as: ndmsg.self)
    guard header.ndm_family == 7, header.ndm_ifindex > 0 else { return nil }
    var mac: MACAddress?
    var master: Int32?
    var vtep: VTEP?
    for attribute in Attributes(payload, after: size) {
      switch attribute.type {
      case Int(NDA_LLADDR): mac = attribute.mac
      case Int(NDA_MASTER): master = attribute.u32.map(Int32.init(bitPattern:))
      case Int(NDA_DST): vtep = attribute.address
      case Int(NDA_VLAN): vlan = attribute.u16
      default: break
      }
    }
    guard let mac else { return nil }
    self.mac = mac
    device = header.ndm_ifindex
    table = if let master, header.ndm_flags & UInt8(NTF_SELF) == 0 { .bridge(master) } else { .device(vtep) }
    state =
      if header.ndm_state & UInt16(NUD_PERMANENT) != 0, case .bridge = table {
        .permanent
      } else if header.ndm_state & UInt16(NUD_NOARP | NUD_PERMANENT) != 0 { .fixed } else { .dynamic }
  }
}
