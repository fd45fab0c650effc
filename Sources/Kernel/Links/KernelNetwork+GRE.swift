import CNetlink
import Glibc
import Wire

extension KernelNetwork {
  /// Brings about a GRE device exactly as wanted, port of its bridge. What can be changed live is changed live; whether it
  /// floods stays as it is, unless it floods some frames and others not: then it floods none.
  ///
  /// - Throws: `.foreign` if a device of that name is not ours; `.unchangeable` if it is ours but has to be made anew,
  ///   which the caller decides (`deleteLink`, then this again); `.absent` if its bridge does not stand.
  @discardableResult
  package func ensureGRE(_ spec: GRESpec) throws(KernelError) -> Ensured {
    let bridge = try bridge(named: spec.bridge, alias: spec.alias).index
    return try ensureDevice(spec.name) { () throws(KernelError) in
      try createGRE(spec)
    } repair: { link throws(KernelError) in
      try repairGRE(link, spec, bridge: bridge)
    }
  }

  private func createGRE(_ spec: GRESpec) throws(KernelError) {
    var message = NetlinkMessage(type: RTM_NEWLINK, flags: NLM_F_CREATE | NLM_F_EXCL, ifinfomsg())
    message.put(IFLA_IFNAME, text: spec.name)
    message.put(IFLA_ADDRESS, mac: spec.mac)
    message.put(IFLA_MTU, u32: UInt32(clamping: spec.mtu))
    Self.putSettings(&message, spec)
    try create(
      message, "create, from \(spec.local) to \(spec.remote) with key \(spec.vni), the GRE device", name: spec.name,
      mac: spec.mac, alias: spec.alias)
  }

  /// All of them each time: the kernel takes what is left out for 0.
  private static func putSettings(_ message: inout NetlinkMessage, _ spec: GRESpec) {
    message.nest(IFLA_LINKINFO) {
      $0.put(IFLA_INFO_KIND, text: spec.local.isV6 ? "ip6gretap" : "gretap")
      $0.nest(IFLA_INFO_DATA) {
        $0.put(GREAttribute.inputFlags, u16: GREAttribute.hasKey.bigEndian)
        $0.put(GREAttribute.outputFlags, u16: GREAttribute.hasKey.bigEndian)
        $0.put(GREAttribute.inputKey, u32: spec.vni.value.bigEndian)
        $0.put(GREAttribute.outputKey, u32: spec.vni.value.bigEndian)
        $0.put(GREAttribute.local, bytes: spec.local.bytes)
        $0.put(GREAttribute.remote, bytes: spec.remote.bytes)
        $0.put(GREAttribute.ttl, u8: GRESpec.ttl)
        if spec.local.isV6 {
          $0.put(GREAttribute.flowInformation, u32: 0)
          // The extension header with a limit would travel in clear, in front of ESP.
          $0.put(GREAttribute.flags, u32: GREAttribute.noEncapsulationLimit)
        } else {
          $0.put(GREAttribute.trafficClass, u8: 0)
          // With a fixed TTL the kernel takes nothing else.
          $0.put(GREAttribute.pathMTUDiscovery, u8: 1)
        }
      }
    }
  }

  /// The order matters: the device joins the bridge and gets its port flags before it comes up, so it never learns or
  /// floods in another way than wanted.
  private func repairGRE(_ link: Link, _ spec: GRESpec, bridge: Int32) throws(KernelError) -> Ensured {
    guard link.gre != nil else { throw .foreign(name: spec.name, kind: link.kind, alias: link.alias) }
    try claim(link, mac: spec.mac, alias: spec.alias)
    if let what = link.unchangeableDifference(spec) { throw .unchangeable(name: spec.name, what: what) }
    var link = link
    let changed = try closeClaimed(&link, alias: spec.alias)
    guard !link.satisfies(spec, bridge: bridge) else {
      return changed ? .changed(index: link.index) : .unchanged(index: link.index)
    }
    if link.gre != spec.settings {
      var message = NetlinkMessage(type: RTM_NEWLINK, flags: 0, Self.header(link.index))
      // Without it the kernel computes one of its own.
      message.put(IFLA_MTU, u32: UInt32(clamping: spec.mtu))
      Self.putSettings(&message, spec)
      try socket.perform(message, "set up, from \(spec.local) to \(spec.remote), the GRE device", spec.name)
    } else if link.mtu != spec.mtu {
      try setMTU(link.index, spec.mtu)
    }
    if link.mac != spec.mac { try setMAC(link.index, spec.mac) }
    if link.master != bridge {
      // Until its port flags are set a port floods.
      if link.isUp { try setUp(link.index, false) }
      link.isUp = false
      try setMaster(link.index, bridge: bridge)
      try setPort(link.index, learning: false, isolated: true, floods: false)
    } else if link.port?.learning != false || link.port?.isolated == false || link.port?.floods == nil {
      try setPort(link.index, learning: false, isolated: true, floods: link.port?.floods ?? false)
    }
    if !link.isUp { try setUp(link.index, true) }
    return .changed(index: link.index)
  }
}
