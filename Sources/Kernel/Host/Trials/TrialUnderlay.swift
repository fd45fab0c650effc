import CNetlink
import Glibc
import Wire

/// An underlay for trials in a namespace of its own: a pair of veths, of which one end has this host's addresses. On
/// the other end there is nobody but a witness, who sees what leaves and can send what another host would.
struct TrialUnderlay {
  private static let name = "try0"

  let interface: Int32
  let mac: MACAddress
  /// Of a host on the other end that is not there.
  let peer: MACAddress
  let inside: TrialSocket
  let witness: TrialSocket
  let hasIPv6: Bool

  init(_ kernel: KernelNetwork) throws(KernelError) {
    var message = NetlinkMessage(type: RTM_NEWLINK, flags: NLM_F_CREATE | NLM_F_EXCL, ifinfomsg())
    message.put(IFLA_IFNAME, text: Self.name)
    message.nest(IFLA_LINKINFO) { $0.put(IFLA_INFO_KIND, text: "veth") }
    try kernel.socket.perform(message, "create a pair of devices", Self.name)
    // The kernel names the other end.
    let links = try kernel.links().filter { $0.kind == "veth" }
    guard let own = links.first(where: { $0.name == Self.name }), let mac = own.mac,
      let other = links.first(where: { $0.name != Self.name }), let peer = MACAddress(0x0200_5e00_0001)
    else { throw .absent(Self.name) }
    interface = own.index
    self.mac = mac
    self.peer = peer
    hasIPv6 = KernelSettings.read("ipv6/conf/\(Self.name)/disable_ipv6") != nil
    if hasIPv6 { try KernelSettings.ensure("ipv6/conf/\(Self.name)/disable_ipv6", "0") }
    try kernel.setUp(own.index, true)
    try kernel.setUp(other.index, true)
    inside = try TrialSocket(interface: own.index)
    witness = try TrialSocket(interface: other.index)
    try addAddress(kernel, Self.address(1, isV6: false), prefix: 24)
    if hasIPv6 { try addAddress(kernel, Self.address(1, isV6: true), prefix: 64) }
  }

  /// Host `number` of the underlay; 1 is this one.
  static func address(_ number: UInt32, isV6: Bool) -> VTEP {
    isV6 ? .v6(high: 0x2001_0db8_0000_0000, low: UInt64(number)) : .v4(0xc000_0200 + number)
  }

  private func addAddress(_ kernel: KernelNetwork, _ address: IPAddress, prefix: UInt8) throws(KernelError) {
    var header = ifaddrmsg()
    header.ifa_family = UInt8(address.isV6 ? AF_INET6 : AF_INET)
    header.ifa_prefixlen = prefix
    header.ifa_index = UInt32(bitPattern: interface)
    header.ifa_flags = address.isV6 ? UInt8(IFA_F_NODAD) : 0
    var message = NetlinkMessage(type: RTM_NEWADDR, flags: NLM_F_CREATE | NLM_F_EXCL, header)
    message.put(IFA_LOCAL, bytes: address.bytes)
    message.put(IFA_ADDRESS, bytes: address.bytes)
    try kernel.socket.perform(message, "add the address", address.description)
  }

  /// A host on the other end, whom nobody needs to ask for its MAC.
  func addNeighbour(_ kernel: KernelNetwork, _ address: IPAddress) throws(KernelError) {
    var header = ndmsg()
    header.ndm_family = UInt8(address.isV6 ? AF_INET6 : AF_INET)
    header.ndm_ifindex = interface
    header.ndm_state = UInt16(NUD_PERMANENT)
    var message = NetlinkMessage(type: RTM_NEWNEIGH, flags: NLM_F_CREATE | NLM_F_REPLACE, header)
    message.put(NDA_DST, bytes: address.bytes)
    message.put(NDA_LLADDR, mac: peer)
    try kernel.socket.perform(message, "add the neighbour", address.description)
  }
}
