import Kernel
import Overlay
import Registry
import Wire

/// Sorts what the kernel lists into the networks that it belongs to.
struct OverlayObservation {
  private(set) var state = OverlayState()
  /// The bridges and tunnels of this pool.
  private(set) var bridges: [Link] = []
  private(set) var tunnels: [Link] = []
  private var names: [Int32: String] = [:]
  private var bridgeOwners: [Int32: NetworkID] = [:]
  private var tunnelOwners: [Int32: NetworkID] = [:]
  private let userPath: UserPath?

  init(links: [Link], pool: String, wanted: OverlayState, userPath: UserPath?) {
    self.userPath = userPath
    for link in links { names[link.index] = link.name }
    for link in links {
      let alias = link.alias.flatMap { OverlayAlias($0) } ?? Self.unmarkedOwner(link, wanted)
      if let alias, alias.pool == pool, take(link, alias) { continue }
      state.others[link.name] = .some(link.alias)
    }
    for link in links {
      guard let master = link.master, let network = bridgeOwners[master], tunnelOwners[link.index] == nil else {
        continue
      }
      state.networks[network]?.ports.insert(link.name)
    }
  }

  /// The mark that a device lacks because the agent was killed while making it; only its MAC can tell.
  private static func unmarkedOwner(_ link: Link, _ wanted: OverlayState) -> OverlayAlias? {
    guard link.alias == nil, let mac = link.mac else { return nil }
    for network in wanted.networks.values {
      if let bridge = network.bridge, bridge.name == link.name, bridge.mac == mac { return bridge.alias }
      if let tunnel = network.tunnels[link.name], tunnel.mac == mac { return tunnel.alias }
    }
    return nil
  }

  /// False for what has our mark but is neither the network's bridge nor a tunnel.
  private mutating func take(_ link: Link, _ alias: OverlayAlias) -> Bool {
    guard let mac = link.mac else { return false }
    var network = state.networks[alias.network] ?? NetworkState()
    if link.bridge != nil, network.bridge == nil {
      let spec = BridgeSpec(name: link.name, mac: mac, mtu: link.mtu, alias: alias.description)
      network.bridge = BridgeState(
        name: link.name, mac: mac, mtu: link.mtu, alias: alias, isSound: link.satisfies(spec))
      bridges.append(link)
      bridgeOwners[link.index] = alias.network
    } else if let tunnel = tunnel(link, mac, alias) {
      network.tunnels[link.name] = tunnel
      if tunnel.isTAP, let forwarding = userPath?.path.forwarding(of: tunnel.vni),
        forwarding.network.tap == link.name
      {
        network.flood.formUnion(forwarding.flood)
        network.tunnelEntries.merge(forwarding.remotes) { $1 }
      }
      tunnels.append(link)
      tunnelOwners[link.index] = alias.network
    } else {
      return false
    }
    state.networks[alias.network] = network
    return true
  }

  private func tunnel(_ link: Link, _ mac: MACAddress, _ alias: OverlayAlias) -> TunnelState? {
    if let vxlan = link.vxlan { return vxlanTunnel(link, vxlan, mac, alias) }
    if let gre = link.gre { return greTunnel(link, gre, mac, alias) }
    if link.tap != nil { return tapTunnel(link, mac, alias) }
    return nil
  }

  /// One with a name that another program gave it is ours all the same, and makes room for one with the right name.
  private func tapTunnel(_ link: Link, _ mac: MACAddress, _ alias: OverlayAlias) -> TunnelState? {
    guard let vni = OverlayNames.vni(ofTAP: link.name) ?? VNI(1) else { return nil }
    let forwarding = userPath?.path.forwarding(of: vni)
    let bridge = link.master.flatMap { names[$0] }
    let spec = TAPSpec(
      name: link.name, mac: mac, mtu: link.mtu, alias: alias.description, bridge: bridge ?? "")
    let isServed = forwarding.map { $0.network.tap == link.name && $0.mtu == link.mtu } ?? false
    return TunnelState(
      name: link.name, kind: .tap(forwarding.map { Encapsulation($0.encapsulation) } ?? .vxlan), mac: mac, vni: vni,
      local: userPath?.local ?? .v4(0), mtu: link.mtu, alias: alias, bridge: bridge,
      isSound: isServed && link.satisfies(spec, bridge: link.master ?? 0),
      isWrongForLife: link.unchangeableDifference(spec) != nil)
  }

  private func vxlanTunnel(_ link: Link, _ vxlan: Link.VXLAN, _ mac: MACAddress, _ alias: OverlayAlias) -> TunnelState?
  {
    guard let vni = VNI(vxlan.vni) else { return nil }
    let local = vxlan.local ?? .v4(0)
    let bridge = link.master.flatMap { names[$0] }
    let spec = VXLANSpec(
      name: link.name, mac: mac, vni: vni, local: local, port: vxlan.port, mtu: link.mtu, alias: alias.description,
      bridge: bridge ?? "")
    return TunnelState(
      name: link.name, kind: .vxlan(port: vxlan.port), mac: mac, vni: vni, local: local, mtu: link.mtu, alias: alias,
      bridge: bridge, isSound: link.satisfies(spec, bridge: link.master ?? 0),
      isWrongForLife: link.unchangeableDifference(spec) != nil)
  }

  /// One without a proper key is ours all the same; that it is wrong for life is what counts.
  private func greTunnel(_ link: Link, _ gre: Link.GRE, _ mac: MACAddress, _ alias: OverlayAlias) -> TunnelState? {
    guard let vni = VNI(gre.inputKey ?? gre.outputKey ?? 1) else { return nil }
    let none = gre.isV6 ? VTEP.v6(high: 0, low: 0) : .v4(0)
    let (local, remote) = (gre.local ?? none, gre.remote ?? none)
    let bridge = link.master.flatMap { names[$0] }
    let spec = GRESpec(
      name: link.name, mac: mac, vni: vni, local: local, remote: remote, mtu: link.mtu, alias: alias.description,
      bridge: bridge ?? "")
    return TunnelState(
      name: link.name, kind: .gre(remote: remote), mac: mac, vni: vni, local: local, mtu: link.mtu, alias: alias,
      bridge: bridge, floods: link.port?.floods ?? false, isSound: link.satisfies(spec, bridge: link.master ?? 0),
      isWrongForLife: link.unchangeableDifference(spec) != nil)
  }

  mutating func setUnsound(bridge link: Link) {
    guard let network = bridgeOwners[link.index] else { return }
    state.networks[network]?.bridge?.isSound = false
  }

  mutating func setUnsound(tunnel link: Link) {
    guard let network = tunnelOwners[link.index] else { return }
    state.networks[network]?.tunnels[link.name]?.isSound = false
  }

  mutating func add(_ entry: FDBEntry) {
    switch entry.table {
    case .device(let vtep):
      guard let vtep, let network = tunnelOwners[entry.device] else { return }
      if entry.mac == .zero {
        state.networks[network]?.flood.insert(vtep)
      } else {
        state.networks[network]?.tunnelEntries[entry.mac] = vtep
      }
    case .bridge(let bridge):
      // With VLAN filtering turned on by hand there are entries for single VLANs, which are not ours.
      guard entry.state != .permanent, entry.vlan == nil, let network = bridgeOwners[bridge],
        let port = names[entry.device]
      else { return }
      state.networks[network]?.bridgeEntries[entry.mac] = BridgeEntry(port: port, isFixed: entry.state == .fixed)
    }
  }
}
