import Kernel
import Overlay
import Registry
import Wire

/// The kernel as the engine sees it: links and bridges by number, the overlay's state as last seen or set, and the way
/// to change it. It belongs to the engine's thread.
final class KernelSide {
  let network: KernelNetwork
  let monitor: KernelMonitor
  private(set) var underlay: Underlay
  /// What was found by trying at start.
  let kernelAbilities: KernelAbilities
  let mechanisms: Set<Mechanism>
  /// As this host's record tells them.
  let abilities: HostCapabilities
  fileprivate var applier: OverlayApplier
  private let wantedUnderlay: String

  private(set) var links: [Int32: Link] = [:]
  /// Our bridges and tunnels by interface number.
  private var bridges: [Int32: NetworkID] = [:]
  private var tunnels: [NetworkID: Int32] = [:]
  private var ownLinks: [Int32: NetworkID] = [:]
  /// The kernel's state as last dumped, with what was changed since.
  private(set) var observed = OverlayState()

  init(underlay wanted: String) throws {
    network = try KernelNetwork()
    monitor = try KernelMonitor(entries: false)
    wantedUnderlay = wanted
    underlay = try network.underlay(wanted)
    kernelAbilities = KernelAbilities.probe()
    mechanisms = kernelAbilities.vxlan == nil ? [.kernelVXLANInClear] : []
    var abilities: HostCapabilities = []
    if kernelAbilities.vxlan == nil { abilities.insert(.kernelVXLAN) }
    if kernelAbilities.gretap == nil { abilities.insert(.kernelGRE) }
    if kernelAbilities.esp == nil { abilities.insert(.kernelESP) }
    self.abilities = abilities
    applier = OverlayApplier(kernel: network, pool: "")
  }

  // MARK: Links

  /// Dumps all links anew.
  func refreshLinks() throws -> [Link] {
    let all = try network.links()
    links = [:]
    bridges = [:]
    tunnels = [:]
    ownLinks = [:]
    for link in all { remember(link) }
    return all
  }

  func remember(_ link: Link) {
    links[link.index] = link
    guard let alias = link.alias.flatMap(OverlayAlias.init), alias.pool == pool else { return }
    ownLinks[link.index] = alias.network
    if link.kind == "bridge" { bridges[link.index] = alias.network } else { tunnels[alias.network] = link.index }
  }

  /// - Returns: the network that the link was a device of.
  func forget(_ index: Int32) -> NetworkID? {
    if let link = links.removeValue(forKey: index) { applier.forget(device: link.name) }
    bridges[index] = nil
    guard let network = ownLinks.removeValue(forKey: index) else { return nil }
    if tunnels[network] == index { tunnels[network] = nil }
    return network
  }

  func network(ofBridge index: Int32) -> NetworkID? { bridges[index] }

  /// The network that a device of ours belongs to.
  func network(ofDevice index: Int32) -> NetworkID? { ownLinks[index] }

  /// The pool whose devices are ours, as it stands in their alias; set when this host becomes a member.
  private(set) var pool = ""

  func enter(pool: String) {
    self.pool = pool
    applier = OverlayApplier(kernel: network, pool: pool)
    observed = OverlayState()
  }

  /// Whether this host has a way to carry a network of this kind.
  func canCarry(_ encapsulation: Encapsulation, _ encryption: Encryption) -> Bool {
    Mechanism.choose(encapsulation, encryption, from: mechanisms) != nil
  }

  // MARK: State

  /// Dumps everything anew. Devices of `inputs` that a killed agent left without their mark are known by name and MAC.
  func refresh(_ inputs: [NetworkPlanInput], host: HostID) throws {
    let (wanted, _) = OverlayState.desired(inputs, pool: pool, host: host, mechanisms: mechanisms)
    observed = try applier.observe(wanted: wanted)
    _ = try refreshLinks()
  }

  /// Brings the networks of `inputs` about, and takes away those of `gone`.
  ///
  /// - Parameter keeps: what is not to be removed for now.
  /// - Returns: why networks do not stand, by network.
  func bringAbout(
    _ inputs: [NetworkPlanInput], gone: Set<NetworkID>, host: HostID, keeps: (Change) -> Bool
  ) -> [NetworkID: String] {
    let (desired, problems) = OverlayState.desired(inputs, pool: pool, host: host, mechanisms: mechanisms)
    var failures = problems.mapValues { "\($0)" }
    let scope = Set(inputs.map(\.id)).union(gone)
    let known = OverlayState(
      networks: observed.networks.filter { scope.contains($0.key) }, suspended: observed.suspended,
      others: observed.others)
    for var plan in OverlayState.plan(from: known, to: desired) {
      if let problem = plan.problem { failures[plan.network] = "\(problem)" }
      plan.changes.removeAll(where: keeps)
      guard !plan.changes.isEmpty else { continue }
      if let error = applier.apply(plan.changes).first { failures[plan.network] = "\(error)" }
      didChange(plan, desired)
    }
    return failures
  }

  /// Entries are taken for what was asked; devices are looked at again, for their numbers.
  private func didChange(_ plan: NetworkPlan, _ desired: OverlayState) {
    let isAboutDevices = plan.changes.contains { change in
      switch change {
      case .ensureBridge, .ensureTunnel, .removeTunnel, .removeBridge: true
      case .setRemote, .setLocal, .addFlood, .removeFlood, .removeTunnelEntry, .removeBridgeEntry: false
      }
    }
    if isAboutDevices {
      if let found = try? applier.observe(wanted: desired) {
        observed.networks[plan.network] = found.networks[plan.network]
        observed.others = found.others
      }
      _ = try? refreshLinks()
    } else if let wanted = desired.networks[plan.network] {
      let ports = observed.networks[plan.network]?.ports ?? []
      observed.networks[plan.network] = wanted
      observed.networks[plan.network]?.ports = ports
    }
  }

  func portsChanged(_ network: NetworkID, _ ports: Set<String>) { observed.networks[network]?.ports = ports }

  // MARK: The path of a MAC that moves

  /// The MAC is at another host now. One message to the kernel.
  func setRemote(_ mac: MACAddress, network id: NetworkID, at vtep: VTEP) throws {
    guard let tunnel = tunnels[id] else { return }
    try network.replaceRemote(mac, tunnel: tunnel, vtep)
    observed.networks[id]?.tunnelEntries[mac] = vtep
    if let name = links[tunnel]?.name { observed.networks[id]?.bridgeEntries[mac] = BridgeEntry(port: name) }
  }

  /// The MAC is behind this port here.
  func setLocal(_ mac: MACAddress, network id: NetworkID, port: Int32) -> KernelError? {
    var changes: [FDBChange] = [.setPort(mac, port: port)]
    if let tunnel = tunnels[id] { changes.append(.removeTunnelEntry(mac, tunnel: tunnel)) }
    let failure = network.apply(changes).first?.error
    observed.networks[id]?.tunnelEntries[mac] = nil
    if let name = links[port]?.name { observed.networks[id]?.bridgeEntries[mac] = BridgeEntry(port: name) }
    return failure
  }

  // MARK: Underlay

  /// Looks whether the underlay's address, interface or MTU is another one now.
  ///
  /// - Returns: the sentence about what changed; nil if nothing did.
  func followUnderlay() -> String? {
    guard let now = try? network.underlay(wantedUnderlay), now != underlay else { return nil }
    let before = underlay
    underlay = now
    if now.address != before.address {
      return "The underlay address of this host changed from \(before.address) to \(now.address)."
    }
    if now.mtu != before.mtu { return "The MTU of the underlay interface \(now.name) changed to \(now.mtu)." }
    return nil
  }

  // MARK: The host's firewall

  /// Bridges for which the host's firewall was told to let frames through.
  private var exempted: [String] = []

  /// Where `br_netfilter` sends bridged frames through the host's firewall, exempts those of our bridges.
  ///
  /// - Returns: why that could not be done.
  func exemptBridges() -> String? {
    let names = observed.networks.values.compactMap { $0.bridge?.name }.sorted()
    guard names != exempted, BridgeNetfilter.current().isActive || !exempted.isEmpty else { return nil }
    do {
      for name in exempted where !names.contains(name) { try BridgeNetfilter.withdraw(bridge: name) }
      try BridgeNetfilter.exempt(bridges: names)
      exempted = names
      return nil
    } catch {
      return "\(error)"
    }
  }

  /// Takes away everything that Weft made for this pool, and nothing else.
  ///
  /// - Returns: what could not be taken away, one sentence each.
  func removeAll() -> [String] {
    do {
      let found = try applier.observe(wanted: OverlayState())
      let outcome = applier.apply(OverlayState.plan(from: found, to: OverlayState(others: found.others)))
      observed = OverlayState()
      _ = exemptBridges()
      return outcome.errors.values.flatMap { $0 }.map { "\($0)" }.sorted()
    } catch {
      return ["\(error)"]
    }
  }

  /// Where the tunnel's entry for a MAC points, as last seen.
  func vtep(of mac: MACAddress, tunnel: String) -> VTEP? {
    observed.networks.values.first { $0.tunnel?.name == tunnel }?.tunnelEntries[mac]
  }

  /// An event told of a link: numbers that were remembered for its name may be old.
  func linkChanged(_ link: Link) {
    applier.forget(device: link.name)
    remember(link)
  }
}

extension KernelSide {
  /// Whether what an event says of a device of ours is what was last seen or set; else someone else changed it.
  func isAsSeen(_ link: Link) -> Bool {
    guard let id = network(ofDevice: link.index), let state = observed.networks[id] else { return false }
    if link.kind == "bridge" {
      return state.bridge.map { $0.name == link.name && $0.mtu == link.mtu && link.isUp } ?? false
    }
    guard let tunnel = state.tunnel, tunnel.name == link.name, tunnel.mtu == link.mtu, link.isUp else { return false }
    return link.master.flatMap { links[$0]?.name } == tunnel.bridge
  }

  /// Forgets what was seen of a network's devices, so that the next look compares with what really stands.
  func lookAgain(at id: NetworkID) {
    if let found = try? applier.observe(wanted: OverlayState()) { observed.networks[id] = found.networks[id] }
  }
}
