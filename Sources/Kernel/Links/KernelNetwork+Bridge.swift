import CNetlink
import Glibc
import Wire

extension KernelNetwork {
  /// Brings about a bridge exactly as wanted, without touching traffic if it stands: created, repaired or left alone.
  ///
  /// - Throws: `.foreign` if a device of that name is not ours.
  @discardableResult
  package func ensureBridge(_ spec: BridgeSpec) throws(KernelError) -> Ensured {
    if let link = try link(named: spec.name) { return try repairBridge(link, spec) }
    do {
      try createBridge(spec)
    } catch {
      // Someone made one in between: the same look decides whether it is ours.
      guard error.code == EEXIST, let link = try link(named: spec.name) else { throw error }
      return try repairBridge(link, spec)
    }
    guard let link = try link(named: spec.name) else { throw .absent(spec.name) }
    _ = try repairBridge(link, spec)
    return .created(index: link.index)
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

  /// Creates a device and marks it. The kernel ignores an alias in the message that creates a device, and a mark set by
  /// name could hit a stranger's device, so it is set by number once the device is known to be the one just made.
  func create(
    _ message: consuming NetlinkMessage, _ operation: String, name: String, mac: MACAddress, alias: String
  ) throws(KernelError) {
    guard Self.isInterfaceName(name), alias.utf8.count < 256 else {
      throw .refused(
        operation: operation, object: name, code: EINVAL, message: "a name has 1 to 15 bytes, an alias at most 255")
    }
    try socket.perform(message, operation, name)
    guard let link = try link(named: name) else { throw .absent(name) }
    try claim(link, mac: mac, alias: alias)
  }

  /// Checks that a device is ours. One without alias but with the MAC that only we derive is ours too: an agent that was
  /// killed between the two steps of `create` left it. It gets its mark now.
  func claim(_ link: Link, mac: MACAddress, alias: String) throws(KernelError) {
    if link.alias == alias { return }
    guard link.alias == nil, link.mac == mac else {
      throw .foreign(name: link.name, kind: link.kind, alias: link.alias)
    }
    var message = NetlinkMessage(type: RTM_NEWLINK, flags: 0, Self.header(link.index))
    message.put(IFLA_IFALIAS, text: alias)
    try socket.perform(message, "mark the device", link.name)
  }
}
