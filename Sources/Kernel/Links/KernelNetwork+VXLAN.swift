import CNetlink
import Glibc
import Wire

extension KernelNetwork {
  /// Brings about a VXLAN device exactly as wanted, port of its bridge. What can be changed live is changed live.
  ///
  /// - Throws: `.foreign` if a device of that name is not ours; `.unchangeable` if it is ours but has to be made anew,
  ///   which the caller decides (`deleteLink`, then this again); `.absent` if its bridge does not stand.
  @discardableResult
  package func ensureVXLAN(_ spec: VXLANSpec) throws(KernelError) -> Ensured {
    let bridge = try bridge(named: spec.bridge, alias: spec.alias).index
    return try ensureDevice(spec.name) { () throws(KernelError) in
      try createVXLAN(spec)
    } repair: { link throws(KernelError) in
      try repairVXLAN(link, spec, bridge: bridge)
    }
  }

  private func createVXLAN(_ spec: VXLANSpec) throws(KernelError) {
    var message = NetlinkMessage(type: RTM_NEWLINK, flags: NLM_F_CREATE | NLM_F_EXCL, ifinfomsg())
    message.put(IFLA_IFNAME, text: spec.name)
    message.put(IFLA_ADDRESS, mac: spec.mac)
    message.put(IFLA_MTU, u32: UInt32(clamping: spec.mtu))
    message.nest(IFLA_LINKINFO) {
      $0.put(IFLA_INFO_KIND, text: "vxlan")
      $0.nest(IFLA_INFO_DATA) {
        Self.putChangeable(&$0, spec)
        $0.put(IFLA_VXLAN_ID, u32: spec.vni.value)
        $0.put(IFLA_VXLAN_PORT, u16: spec.port.bigEndian)
        if spec.local.isV6 {
          $0.put(IFLA_VXLAN_UDP_ZERO_CSUM6_TX, u8: 0)
          $0.put(IFLA_VXLAN_UDP_ZERO_CSUM6_RX, u8: 0)
        } else {
          $0.put(IFLA_VXLAN_UDP_CSUM, u8: 1)
        }
      }
    }
    try create(message, "create the VXLAN device", name: spec.name, mac: spec.mac, alias: spec.alias)
  }

  private static func putChangeable(_ message: inout NetlinkMessage, _ spec: VXLANSpec) {
    message.put(spec.local.isV6 ? IFLA_VXLAN_LOCAL6 : IFLA_VXLAN_LOCAL, bytes: spec.local.bytes)
    message.put(IFLA_VXLAN_LEARNING, u8: 0)
    message.put(IFLA_VXLAN_TTL, u8: VXLANSpec.ttl)
  }

  /// The order matters: the device joins the bridge and gets its port flags before it comes up, so it never learns or
  /// floods in another way than wanted.
  private func repairVXLAN(_ link: Link, _ spec: VXLANSpec, bridge: Int32) throws(KernelError) -> Ensured {
    guard link.kind == "vxlan" else { throw .foreign(name: spec.name, kind: link.kind, alias: link.alias) }
    try claim(link, mac: spec.mac, alias: spec.alias)
    if let what = link.unchangeableDifference(spec) { throw .unchangeable(name: spec.name, what: what) }
    var link = link
    let changed = try closeClaimed(&link, alias: spec.alias)
    guard !link.satisfies(spec, bridge: bridge) else {
      return changed ? .changed(index: link.index) : .unchanged(index: link.index)
    }
    if let vxlan = link.vxlan, vxlan.local != spec.local || vxlan.learning || vxlan.ttl != VXLANSpec.ttl {
      var message = NetlinkMessage(type: RTM_NEWLINK, flags: 0, Self.header(link.index))
      message.nest(IFLA_LINKINFO) {
        $0.put(IFLA_INFO_KIND, text: "vxlan")
        $0.nest(IFLA_INFO_DATA) { Self.putChangeable(&$0, spec) }
      }
      try socket.perform(message, "set up the VXLAN device", spec.name)
    }
    if link.mac != spec.mac { try setMAC(link.index, spec.mac) }
    if link.mtu != spec.mtu { try setMTU(link.index, spec.mtu) }
    if link.master != bridge { try setMaster(link.index, bridge: bridge) }
    if link.master != bridge || link.port?.learning != false || link.port?.isolated == false {
      try setPort(link.index, learning: false, isolated: true)
    }
    if !link.isUp {
      do {
        try setUp(link.index, true)
      } catch {
        guard case .refused(_, _, let code, let message, _) = error else { throw error }
        throw .refused(
          operation: "open UDP port \(spec.port) for the VXLAN device", object: spec.name, code: code, message: message)
      }
    }
    return .changed(index: link.index)
  }
}
