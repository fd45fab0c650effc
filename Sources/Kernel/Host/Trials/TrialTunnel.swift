import CNetlink
import Glibc
import Wire

/// A tunnel device of a trial, with one remote end.
struct TrialTunnel {
  enum Kind: CaseIterable {
    case vxlan
    case gre
  }

  let kind: Kind
  let isV6: Bool
  /// VNI or GRE key.
  let number: UInt32
  let traffic: XFRMPolicy.Traffic
  let local: VTEP
  let remote: VTEP
  let socket: TrialSocket

  var ipProtocol: UInt8 { kind == .vxlan ? IPProtocol.udp : IPProtocol.gre }

  /// As in "a frame of VXLAN over IPv6".
  var description: String { "\(kind == .vxlan ? "VXLAN" : "GRE") over IPv\(isV6 ? 6 : 4)" }

  init(
    _ kernel: KernelNetwork, _ underlay: TrialUnderlay, _ kind: Kind, isV6: Bool, udpPort: UInt16
  ) throws(KernelError) {
    self.kind = kind
    self.isV6 = isV6
    number = kind == .vxlan ? 0x54_7279 : 0x54_727a
    traffic = kind == .vxlan ? .udp(port: udpPort) : .gre(key: number)
    local = TrialUnderlay.address(1, isV6: isV6)
    remote = TrialUnderlay.address(2, isV6: isV6)
    let name = "try" + (kind == .vxlan ? "x" : "g") + (isV6 ? "6" : "4")
    try underlay.addNeighbour(kernel, remote)
    try Self.create(kernel, name, kind, number: number, local: local, remote: remote, udpPort: udpPort)
    guard let link = try kernel.link(named: name) else { throw .absent(name) }
    try kernel.setUp(link.index, true)
    socket = try TrialSocket(interface: link.index)
  }

  private static func create(
    _ kernel: KernelNetwork, _ name: String, _ kind: Kind, number: UInt32, local: VTEP, remote: VTEP, udpPort: UInt16
  ) throws(KernelError) {
    let kindName = kind == .vxlan ? "vxlan" : local.isV6 ? "ip6gretap" : "gretap"
    var message = NetlinkMessage(type: RTM_NEWLINK, flags: NLM_F_CREATE | NLM_F_EXCL, ifinfomsg())
    message.put(IFLA_IFNAME, text: name)
    message.nest(IFLA_LINKINFO) {
      switch kind {
      case .vxlan:
        $0.put(IFLA_INFO_KIND, text: kindName)
        $0.nest(IFLA_INFO_DATA) { data in
          data.put(IFLA_VXLAN_ID, u32: number)
          data.put(IFLA_VXLAN_PORT, u16: udpPort.bigEndian)
          data.put(IFLA_VXLAN_LEARNING, u8: 0)
          data.put(local.isV6 ? IFLA_VXLAN_LOCAL6 : IFLA_VXLAN_LOCAL, bytes: local.bytes)
          data.put(local.isV6 ? IFLA_VXLAN_GROUP6 : IFLA_VXLAN_GROUP, bytes: remote.bytes)
          if !local.isV6 { data.put(IFLA_VXLAN_UDP_CSUM, u8: 1) }
        }
      case .gre:
        $0.put(IFLA_INFO_KIND, text: kindName)
        $0.nest(IFLA_INFO_DATA) { data in
          // GRE_KEY (RFC 2890), in network order.
          let hasKey = UInt16(0x2000).bigEndian
          data.put(IFLA_GRE_IFLAGS, u16: hasKey)
          data.put(IFLA_GRE_OFLAGS, u16: hasKey)
          data.put(IFLA_GRE_IKEY, u32: number.bigEndian)
          data.put(IFLA_GRE_OKEY, u32: number.bigEndian)
          data.put(IFLA_GRE_LOCAL, bytes: local.bytes)
          data.put(IFLA_GRE_REMOTE, bytes: remote.bytes)
          data.put(IFLA_GRE_TTL, u8: 64)
          if local.isV6 { data.put(IFLA_GRE_FLAGS, u32: UInt32(IP6_TNL_F_IGN_ENCAP_LIMIT)) }
        }
      }
    }
    try kernel.socket.perform(message, "create a device of kind", kindName)
  }
}
