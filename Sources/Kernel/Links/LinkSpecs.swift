import Wire

/// A bridge as it is wanted. Spanning tree, forward delay, multicast snooping, VLANs and IPv6 addresses are always off.
package struct BridgeSpec: Hashable, Sendable {
  package var name: String
  package var mac: MACAddress
  package var mtu: Int
  /// Marks it as ours; a device with another alias is never touched.
  package var alias: String

  package init(name: String, mac: MACAddress, mtu: Int, alias: String) {
    self.name = name
    self.mac = mac
    self.mtu = mtu
    self.alias = alias
  }
}

/// A VXLAN device (RFC 7348) as it is wanted, port of the bridge `bridge`. Learning is off and it has no remote of its
/// own: only entries set by hand decide where frames go. The outer UDP checksum is always on, for the sake of the
/// receive offload of Linux 4.19.
package struct VXLANSpec: Hashable, Sendable {
  package var name: String
  package var mac: MACAddress
  package var vni: VNI
  package var local: VTEP
  package var port: UInt16
  package var mtu: Int
  package var alias: String
  /// The bridge that it is a port of.
  package var bridge: String

  package static let ttl: UInt8 = 64

  package init(
    name: String, mac: MACAddress, vni: VNI, local: VTEP, port: UInt16, mtu: Int, alias: String, bridge: String
  ) {
    self.name = name
    self.mac = mac
    self.vni = vni
    self.local = local
    self.port = port
    self.mtu = mtu
    self.alias = alias
    self.bridge = bridge
  }
}

/// A GRE device to one host (RFC 2784, with the key of RFC 2890), port of the bridge `bridge`, that carries Ethernet
/// frames. The key is the VNI in both directions, without checksum or sequence number; the outer packet is never
/// fragmented. Whether it floods is set apart from it (`FDBChange.setFlooding`); put into a bridge it does not.
package struct GRESpec: Hashable, Sendable {
  package var name: String
  package var mac: MACAddress
  package var vni: VNI
  package var local: VTEP
  package var remote: VTEP
  package var mtu: Int
  package var alias: String
  /// The bridge that it is a port of.
  package var bridge: String

  package static let ttl: UInt8 = 64

  package init(
    name: String, mac: MACAddress, vni: VNI, local: VTEP, remote: VTEP, mtu: Int, alias: String, bridge: String
  ) {
    self.name = name
    self.mac = mac
    self.vni = vni
    self.local = local
    self.remote = remote
    self.mtu = mtu
    self.alias = alias
    self.bridge = bridge
  }

  /// As the kernel shows it.
  var settings: Link.GRE {
    Link.GRE(
      isV6: local.isV6, inputKey: vni.value, outputKey: vni.value, local: local, remote: remote, ttl: Self.ttl,
      trafficClass: 0, pathMTUDiscovery: !local.isV6, flags: local.isV6 ? GREAttribute.noEncapsulationLimit : 0,
      lower: 0, isSpecial: false)
  }
}

/// What an ensure found and did.
package enum Ensured: Equatable, Sendable {
  case created(index: Int32)
  case changed(index: Int32)
  case unchanged(index: Int32)

  package var index: Int32 {
    switch self {
    case .created(let index), .changed(let index), .unchanged(let index): index
    }
  }
}

extension Link {
  /// Whether it is exactly as wanted, except that its sysctls are not looked at.
  package func satisfies(_ spec: BridgeSpec) -> Bool {
    guard let bridge else { return false }
    return name == spec.name && alias == spec.alias && mac == spec.mac && mtu == spec.mtu && isUp
      && !bridge.spanningTree && bridge.forwardDelay == 0 && !bridge.multicastSnooping && (bridge.defaultVLAN ?? 0) == 0
      && (addressGeneration ?? 1) == 1
  }

  /// Whether it is exactly as wanted and a port of the bridge with this number.
  package func satisfies(_ spec: VXLANSpec, bridge: Int32) -> Bool {
    guard let vxlan, let port else { return false }
    return name == spec.name && alias == spec.alias && mac == spec.mac && mtu == spec.mtu && isUp && master == bridge
      && unchangeableDifference(spec) == nil && vxlan.local == spec.local && !vxlan.learning
      && vxlan.ttl == VXLANSpec.ttl && !port.learning && port.isolated != false && (addressGeneration ?? 1) == 1
  }

  /// What differs that the kernel cannot change while the device lives.
  package func unchangeableDifference(_ spec: VXLANSpec) -> String? {
    guard let vxlan else { return "kind" }
    if vxlan.vni != spec.vni.value { return "VNI" }
    if vxlan.port != spec.port { return "UDP port" }
    if vxlan.local?.isV6 != spec.local.isV6 { return "kind of underlay address" }
    if spec.local.isV6 ? vxlan.zeroChecksum6 : !vxlan.checksum { return "checksum setting" }
    return nil
  }

  /// Whether it is exactly as wanted and a port of the bridge with this number, flooding all or nothing.
  package func satisfies(_ spec: GRESpec, bridge: Int32) -> Bool {
    guard let gre, let port else { return false }
    return name == spec.name && alias == spec.alias && mac == spec.mac && mtu == spec.mtu && isUp && master == bridge
      && gre == spec.settings && !port.learning && port.isolated != false && port.floods != nil
      && (addressGeneration ?? 1) == 1
  }

  /// What differs that the kernel cannot change while the device lives, or not in every release.
  package func unchangeableDifference(_ spec: GRESpec) -> String? {
    guard let gre else { return "kind" }
    if gre.isV6 != spec.local.isV6 { return "kind of underlay address" }
    if gre.isSpecial { return "encapsulation" }
    if gre.inputKey != spec.vni.value || gre.outputKey != spec.vni.value { return "key" }
    return nil
  }
}
