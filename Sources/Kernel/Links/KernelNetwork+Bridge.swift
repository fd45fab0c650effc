import CNetlink
import Glibc
import Wire

extension KernelNetwork {
  /// Brings about a bridge exactly as wanted, without touching traffic if it stands: created, repaired or left alone.
  ///
  /// - Throws: `.foreign` if a device of that name is not ours.
  @discardableResult
  package func ensureBridge(_ spec: BridgeSpec) throws(KernelError) -> Ensured {
    try ensureDevice(spec.name) { () throws(KernelError) in
      try createBridge(spec)
    } repair: { link throws(KernelError) in
      try repairBridge(link, spec)
    }
  }

  private func createBridge(_ spec: BridgeSpec) throws(KernelError) {
    var message = NetlinkMessage(type: RTM_NEWLINK, flags: NLM_F_CREATE | NLM_F_EXCL, ifinfomsg())
    message.put(IFLA_IFNAME, text: spec.name)
    message.put(IFLA_ADDRESS, mac: spec.mac)
    // One off, so that the repair sets it by the way that makes the kernel keep it: a bridge whose MTU was given at
    // creation follows its ports' MTUs.
    message.put(IFLA_MTU, u32: UInt32(clamping: spec.mtu == 68 ? 69 : spec.mtu - 1))
    message.nest(IFLA_LINKINFO) {
      $0.put(IFLA_INFO_KIND, text: "bridge")
      $0.nest(IFLA_INFO_DATA) { Self.putBridgeSettings(&$0) }
    }
    try create(message, "create the bridge", name: spec.name, mac: spec.mac, alias: spec.alias)
  }

  private static func putBridgeSettings(_ message: inout NetlinkMessage) {
    message.put(IFLA_BR_STP_STATE, u32: 0)
    message.put(IFLA_BR_FORWARD_DELAY, u32: 0)
    message.put(IFLA_BR_MCAST_SNOOPING, u8: 0)
    // Ignored where there is no VLAN filtering. Otherwise an entry without VLAN would be made twice.
    message.put(IFLA_BR_VLAN_DEFAULT_PVID, u16: 0)
  }

  private func repairBridge(_ link: Link, _ spec: BridgeSpec) throws(KernelError) -> Ensured {
    guard link.kind == "bridge" else { throw .foreign(name: spec.name, kind: link.kind, alias: link.alias) }
    try claim(link, mac: spec.mac, alias: spec.alias)
    var link = link
    var changed = link.alias == nil
    link.alias = spec.alias
    if try isolateFromHost(link) { changed = true }
    if (link.addressGeneration ?? 1) != 1 {
      try stopAddressGeneration(link.index, link.name)
      changed = true
    }
    guard !link.satisfies(spec) else { return changed ? .changed(index: link.index) : .unchanged(index: link.index) }
    var message = NetlinkMessage(type: RTM_NEWLINK, flags: 0, Self.header(link.index, up: true))
    if link.mac != spec.mac { message.put(IFLA_ADDRESS, mac: spec.mac) }
    if link.mtu != spec.mtu { message.put(IFLA_MTU, u32: UInt32(clamping: spec.mtu)) }
    message.nest(IFLA_LINKINFO) {
      $0.put(IFLA_INFO_KIND, text: "bridge")
      $0.nest(IFLA_INFO_DATA) { Self.putBridgeSettings(&$0) }
    }
    try socket.perform(message, "set up the bridge", spec.name)
    return .changed(index: link.index)
  }
}
