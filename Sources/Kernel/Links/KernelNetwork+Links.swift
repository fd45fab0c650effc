import CNetlink
import Glibc
import Wire

extension KernelNetwork {
  /// Every interface of the namespace, by number.
  package func links() throws(KernelError) -> [Link] {
    try socket.dump(NetlinkMessage(type: RTM_GETLINK, flags: NLM_F_DUMP, ifinfomsg()), "interfaces") { type, payload in
      type == RTM_NEWLINK ? Link(payload) : nil
    }.sorted { $0.index < $1.index }
  }

  /// The interface with this name, or nil.
  package func link(named name: String) throws(KernelError) -> Link? {
    guard Self.isInterfaceName(name) else { return nil }
    var message = NetlinkMessage(type: RTM_GETLINK, flags: 0, ifinfomsg())
    message.put(IFLA_IFNAME, text: name)
    return try link(message, name)
  }

  /// The interface with this number, or nil.
  package func link(index: Int32) throws(KernelError) -> Link? {
    try link(NetlinkMessage(type: RTM_GETLINK, flags: 0, Self.header(index)), "number \(index)")
  }

  private func link(_ message: consuming NetlinkMessage, _ what: String) throws(KernelError) -> Link? {
    do {
      return try socket.dump(message, what) { type, payload in type == RTM_NEWLINK ? Link(payload) : nil }.first
    } catch {
      if error.meansGone { return nil }
      throw error
    }
  }

  /// A name that the kernel takes: 1 to 15 bytes, no '/', ':' or white space, not `.` or `..`.
  package static func isInterfaceName(_ name: String) -> Bool {
    (1...15).contains(name.utf8.count) && name != "." && name != ".."
      && name.utf8.allSatisfy { $0 > 32 && $0 != 127 && $0 != UInt8(ascii: "/") && $0 != UInt8(ascii: ":") }
  }

  static func header(_ index: Int32, up: Bool? = nil) -> ifinfomsg {
    var header = ifinfomsg()
    header.ifi_index = index
    if let up {
      header.ifi_change = Link.Flags.up
      header.ifi_flags = up ? Link.Flags.up : 0
    }
    return header
  }

  package func setUp(_ index: Int32, _ up: Bool) throws(KernelError) {
    try socket.perform(
      NetlinkMessage(type: RTM_NEWLINK, flags: 0, Self.header(index, up: up)), up ? "bring up" : "take down",
      "interface \(index)")
  }

  package func setMTU(_ index: Int32, _ mtu: Int) throws(KernelError) {
    var message = NetlinkMessage(type: RTM_NEWLINK, flags: 0, Self.header(index))
    message.put(IFLA_MTU, u32: UInt32(clamping: mtu))
    try socket.perform(message, "set MTU \(mtu) of", "interface \(index)")
  }

  func setMAC(_ index: Int32, _ mac: MACAddress) throws(KernelError) {
    var message = NetlinkMessage(type: RTM_NEWLINK, flags: 0, Self.header(index))
    message.put(IFLA_ADDRESS, mac: mac)
    try socket.perform(message, "set MAC \(mac) of", "interface \(index)")
  }

  /// Makes the interface a port of `bridge`, or of nothing. The kernel drops its forwarding entries when it leaves.
  package func setMaster(_ index: Int32, bridge: Int32?) throws(KernelError) {
    var message = NetlinkMessage(type: RTM_NEWLINK, flags: 0, Self.header(index))
    message.put(IFLA_MASTER, u32: UInt32(bitPattern: bridge ?? 0))
    try socket.perform(message, "change the bridge of", "interface \(index)")
  }

  /// Sets a bridge port's learning, isolation and flooding; what is nil is left as it is. Before Linux 4.18 isolation is
  /// ignored.
  package func setPort(_ index: Int32, learning: Bool?, isolated: Bool?, floods: Bool? = nil) throws(KernelError) {
    try socket.perform(
      Self.portFlags(index, learning: learning, isolated: isolated, floods: floods), "set the port flags of",
      "interface \(index)")
  }

  static func portFlags(_ index: Int32, learning: Bool?, isolated: Bool?, floods: Bool?) -> NetlinkMessage {
    var message = NetlinkMessage(type: RTM_NEWLINK, flags: 0, header(index))
    message.nest(IFLA_LINKINFO) {
      $0.put(IFLA_INFO_SLAVE_KIND, text: "bridge")
      $0.nest(IFLA_INFO_SLAVE_DATA) {
        if let learning { $0.put(IFLA_BRPORT_LEARNING, u8: learning ? 1 : 0) }
        if let isolated { $0.put(IFLA_BRPORT_ISOLATED, u8: isolated ? 1 : 0) }
        guard let floods else { return }
        for flag in [IFLA_BRPORT_UNICAST_FLOOD, IFLA_BRPORT_MCAST_FLOOD, IFLA_BRPORT_BCAST_FLOOD] {
          $0.put(flag, u8: floods ? 1 : 0)
        }
      }
    }
    return message
  }

  /// Deletes a device if it is ours: its alias is looked at first, and the number is taken from that look.
  ///
  /// - Returns: false if there was none.
  @discardableResult
  package func deleteLink(named name: String, alias: String) throws(KernelError) -> Bool {
    guard let link = try link(named: name) else { return false }
    guard link.alias == alias else { throw .foreign(name: name, kind: link.kind, alias: link.alias) }
    do {
      try socket.perform(
        NetlinkMessage(type: RTM_DELLINK, flags: 0, Self.header(link.index)), "delete the device", name)
    } catch {
      if !error.meansGone { throw error }
    }
    return true
  }

  /// No IPv6 address is made for the device. A kernel without IPv6 has nothing to turn off.
  func stopAddressGeneration(_ index: Int32, _ name: String) throws(KernelError) {
    var message = NetlinkMessage(type: RTM_NEWLINK, flags: 0, Self.header(index))
    message.nest(IFLA_AF_SPEC) {
      $0.nest(AF_INET6) { $0.put(IFLA_INET6_ADDR_GEN_MODE, u8: 1) }
    }
    do {
      try socket.perform(message, "turn off IPv6 addresses of", name)
    } catch {
      guard let code = error.code, [EAFNOSUPPORT, EOPNOTSUPP].contains(code) else { throw error }
    }
  }
}
