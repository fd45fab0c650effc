import DataPath
import Kernel
import Overlay
import Registry
import Wire

/// The kernel as the engine sees it, and the packet path in user space where there is one: links and bridges by number,
/// the overlay's state as last seen or set, and the way to change it. It belongs to the engine's thread.
final class KernelSide {
  let network: KernelNetwork
  private(set) var monitor: KernelMonitor
  private(set) var underlay: Underlay
  private var isUnderlayGone = false
  /// What was found by trying; nil as long as that is left for later, and all that needs no encryption counts as there.
  private(set) var kernelAbilities: KernelAbilities?
  private(set) var mechanisms: Set<Mechanism> = []
  /// Why the others are not among them.
  private(set) var obstacles: [Mechanism: String] = [:]
  /// What carries encrypted networks.
  let choice: PathChoice
  /// What encrypted networks stand on in the kernel; nil where it does not carry them.
  let protection: Protection?
  /// nil where the kernel carries all networks.
  let userPath: UserPath?
  /// For ESP in UDP in the kernel; nil where that is not to be had.
  let espInUDP: ESPInUDPListener?
  /// What an earlier run that encrypted in the kernel may have left there; nil once it is gone.
  var leftProtection: LeftProtection?
  /// What the packet path in user space dropped lately.
  var drops = DropWatch()
  /// The encrypted networks by GRE that stand here or did a moment ago.
  var protectedGRE: [NetworkID: VNI] = [:]
  /// The closed keys of tunnels by GRE that are not this pool's.
  var foreignGRE: Set<VNI> = []
  /// All tunnels were looked at since this host became a member, and since it is known what an earlier run closed.
  var areTunnelsKnown = false
  /// Networks that are known to be in clear.
  var clearNetworks: Set<NetworkID> = []
  /// As this host's record tells them.
  private(set) var abilities: HostCapabilities = []
  fileprivate var applier: OverlayApplier
  private let wantedUnderlay: String

  private(set) var links: [Int32: Link] = [:]
  /// Our bridges and tunnels by interface number.
  private var bridges: [Int32: NetworkID] = [:]
  private var tunnels: [NetworkID: TunnelPorts] = [:]
  private var ownLinks: [Int32: NetworkID] = [:]
  /// The kernel's state as last dumped, with what was changed since.
  private(set) var observed = OverlayState()
  /// When everything was last dumped because something could not be set.
  private var lastLook: Instant?

  /// - Parameter queues: of the packet path in user space; nil for as many as suit the machine.
  init(underlay wanted: String, dataPlane: Settings.DataPlane = .auto, queues: Int? = nil) throws {
    network = try KernelNetwork()
    monitor = try KernelMonitor(entries: false)
    wantedUnderlay = wanted
    underlay = try network.underlay(wanted)
    let isV6 = underlay.address.isV6
    // Frames stand still while an agent that carries them itself starts: it tries what it does not need later.
    let hasTAPs = try dataPlane != .kernel && Self.hasTAPs(network)
    var userPath: UserPath?
    if hasTAPs, dataPlane == .auto { userPath = Self.openUserPath(queues, at: underlay.address).path }
    let goesOn = userPath != nil
    let isTriedLater = goesOn || (hasTAPs && dataPlane == .user)
    let tried = isTriedLater ? nil : KernelAbilities.probe(dataPlane == .user ? .clear : .usable)
    choice = PathChoice(dataPlane, kernel: tried?.obstacles(isV6: isV6) ?? [:], goesOn: goesOn) { [underlay] in
      if let error = tried?.tap { return error.description }
      if userPath != nil { return nil }
      let result = Self.openUserPath(queues, at: underlay.address)
      userPath = result.path
      return result.obstacle
    }
    let ability = tried?.protection(isV6: isV6)
    if choice.path == .kernel, let ability {
      protection = try Protection(ability)
      espInUDP = ability.espInUDP == nil ? ESPInUDPListener() : nil
    } else {
      protection = nil
      espInUDP = nil
    }
    self.userPath = userPath
    leftProtection = choice.path == .kernel ? nil : LeftProtection()
    applier = OverlayApplier(kernel: network, pool: "", userPath: userPath)
    take(tried)
  }

  /// Whether TAPs of an earlier run stand, which shows that they can be had.
  private static func hasTAPs(_ network: KernelNetwork) throws(KernelError) -> Bool {
    try network.links().contains {
      $0.tap != nil && OverlayNames.vni(ofTAP: $0.name) != nil && $0.alias.flatMap(OverlayAlias.init) != nil
    }
  }

  /// The packet path in user space, or why there is none.
  private static func openUserPath(_ queues: Int?, at address: VTEP) -> (path: UserPath?, obstacle: String?) {
    do throws(DataPathError) {
      let path = try UserPath(.init(queues: queues))
      // A port that is taken now may be free later: its networks say so until then.
      try? path.bind(to: address)
      return (path, nil)
    } catch {
      return (nil, error.description)
    }
  }

  /// What the kernel was found to be able to.
  func take(_ found: KernelAbilities?) {
    kernelAbilities = found
    let clear = found?.obstacles(isV6: underlay.address.isV6).filter { !$0.key.isProtected } ?? [:]
    obstacles = clear.merging(choice.obstacles) { $1 }
    mechanisms = Set(Mechanism.allCases).subtracting(obstacles.keys)
    abilities = Self.abilities(mechanisms, choice, espInUDP: espInUDP != nil)
  }

  private static func abilities(
    _ mechanisms: Set<Mechanism>, _ choice: PathChoice, espInUDP: Bool
  ) -> HostCapabilities {
    var abilities: HostCapabilities = []
    if mechanisms.contains(.kernelVXLANInClear) { abilities.insert(.kernelVXLAN) }
    if mechanisms.contains(.kernelGREInClear) { abilities.insert(.kernelGRE) }
    switch choice.path {
    case .kernel: abilities.formUnion(espInUDP ? [.kernelESP, .espInUDP] : .kernelESP)
    case .user: abilities.insert(.userSpace)
    case nil: break
    }
    return abilities
  }

  /// A monitor in place of one that cannot be read any more. What changed in between is for a dump to find.
  func reopenMonitor() throws { monitor = try KernelMonitor(entries: false) }

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
    let before = links.updateValue(link, forKey: link.index)
    if let before, let network = ownLinks[link.index] { tunnels[network]?.remove(before) }
    guard let alias = link.alias.flatMap(OverlayAlias.init), alias.pool == pool else { return }
    ownLinks[link.index] = alias.network
    if link.kind == "bridge" {
      bridges[link.index] = alias.network
    } else {
      tunnels[alias.network, default: TunnelPorts()].set(link)
    }
  }

  /// - Returns: the network that the link was a device of.
  func forget(_ index: Int32) -> NetworkID? {
    let link = links.removeValue(forKey: index)
    if let link { applier.forget(device: link.name) }
    bridges[index] = nil
    guard let network = ownLinks.removeValue(forKey: index) else { return nil }
    if let link { tunnels[network]?.remove(link) }
    return network
  }

  func network(ofBridge index: Int32) -> NetworkID? { bridges[index] }

  /// The TAP by which user space carries the network.
  func tap(of network: NetworkID) -> Int32? { tunnels[network]?.tap }

  /// The network that a device of ours belongs to.
  func network(ofDevice index: Int32) -> NetworkID? { ownLinks[index] }

  /// The pool whose devices are ours, as it stands in their alias; set when this host becomes a member.
  private(set) var pool = ""

  func enter(pool: String) {
    self.pool = pool
    applier = OverlayApplier(kernel: network, pool: pool, userPath: userPath)
    observed = OverlayState()
    protectedGRE = [:]
    foreignGRE = []
    areTunnelsKnown = false
  }

  /// The way in which this host carries networks of this kind; nil if it has none.
  func mechanism(_ encapsulation: Encapsulation, _ encryption: Encryption) -> Mechanism? {
    Mechanism.choose(encapsulation, encryption, from: mechanisms)
  }

  /// Why it has none, one sentence or more; nil if it has.
  func obstacle(to encapsulation: Encapsulation, _ encryption: Encryption) -> String? {
    guard mechanism(encapsulation, encryption) == nil else { return nil }
    return Mechanism.obstacle(to: encapsulation, encryption, in: obstacles)
  }

  /// Where the SAs of this host stand; nil where it has no keys of the data path.
  var associations: (any SADatabase)? { protection ?? userPath?.protection }

  // MARK: State

  /// Dumps everything anew. Devices of `inputs` that a killed agent left without their mark are known by name and MAC.
  func refresh(_ inputs: [NetworkPlanInput], host: HostID) throws {
    let (wanted, _) = desired(inputs, host)
    observed = try applier.observe(wanted: wanted)
    _ = try refreshLinks()
    noteProtectedGRE()
  }

  private func desired(
    _ inputs: [NetworkPlanInput], _ host: HostID
  ) -> (state: OverlayState, problems: [NetworkID: OverlayProblem]) {
    var (mechanisms, reasons) = (mechanisms, obstacles)
    if let reason = openReason {
      for mechanism in Mechanism.allCases where mechanism.isProtected {
        reasons[mechanism] = mechanisms.remove(mechanism) == nil ? nil : reason
      }
    }
    return OverlayState.desired(inputs, pool: pool, host: host, mechanisms: mechanisms, reasons: reasons)
  }

  /// How networks stand after they were set right.
  struct Outcome {
    /// Why networks do not carry traffic here.
    var failures: [NetworkID: String] = [:]
    /// What is wrong with networks that do.
    var complaints: [NetworkID: String] = [:]
    /// Something of them could not be done: they are to be tried again.
    var retries: Set<NetworkID> = []
  }

  /// Brings the networks of `inputs` about, and takes away those of `gone`.
  ///
  /// - Parameter keeps: what is not to be removed for now.
  func bringAbout(
    _ inputs: [NetworkPlanInput], gone: Set<NetworkID>, host: HostID, now: Instant, keeps: (Change) -> Bool
  ) -> Outcome {
    closeBefore(inputs)
    let (desired, problems) = desired(inputs, host)
    var outcome = Outcome()
    outcome.failures = problems.mapValues { "\($0)" }
    let scope = Set(inputs.map(\.id)).union(gone)
    let known = OverlayState(
      networks: observed.networks.filter { scope.contains($0.key) }, suspended: observed.suspended,
      others: observed.others)
    var touched: Set<NetworkID> = []
    var errors: [NetworkID: String] = [:]
    let isOpenNow = openReason != nil
    for var plan in OverlayState.plan(from: known, to: desired) {
      if let problem = plan.problem { outcome.failures[plan.network] = "\(problem)" }
      let mustClose = isOpenNow && isProtected(plan.network, inputs)
      plan.changes.removeAll {
        keeps($0) && !(mustClose && $0.isTunnelRemoval) && !isOfOtherPath($0, plan.network, desired)
      }
      guard !plan.changes.isEmpty else { continue }
      let result = applier.carryOut(plan.changes)
      // Only what was done counts as seen: what failed or was kept stays different from what is wanted.
      for change in result.done { observed.networks[plan.network]?.note(change) }
      if plan.changes.contains(where: \.isAboutDevice) { touched.insert(plan.network) }
      if result.done.count < plan.changes.count { outcome.retries.insert(plan.network) }
      if let error = result.errors.first { errors[plan.network] = "\(error)" }
    }
    // One look serves all networks; one that fails again and again must not become a storm of dumps.
    if !touched.isEmpty || (!outcome.retries.isEmpty && lastLook.map { now - $0 >= .seconds(1) } ?? true) {
      lookAgain(at: touched.union(outcome.retries), wanted: desired)
      lastLook = now
    }
    for (network, sentence) in errors where outcome.failures[network] == nil {
      if stands(network, as: desired) {
        outcome.complaints[network] = sentence
      } else {
        outcome.failures[network] = sentence
      }
    }
    liftAfter(inputs, scope)
    removeLeftProtection(now: now)
    return outcome
  }

  /// Whether the change removes a tunnel of a path by which the network is not carried any more: the other path's tunnel
  /// must not be in the bridge together with it.
  private func isOfOtherPath(_ change: Change, _ id: NetworkID, _ desired: OverlayState) -> Bool {
    guard case .removeTunnel(let name, _, _) = change, let old = observed.networks[id]?.tunnels[name] else {
      return false
    }
    return desired.networks[id]?.tunnels.values.contains { $0.isTAP != old.isTAP } ?? false
  }

  /// Whether the network has a tunnel that is there and in its bridge, whatever else is not as it should be, or needs none.
  private func stands(_ id: NetworkID, as desired: OverlayState) -> Bool {
    guard let wanted = desired.networks[id], let found = observed.networks[id], found.bridge != nil else {
      return false
    }
    return wanted.tunnels.isEmpty
      || wanted.tunnels.values.contains { tunnel in
        guard let other = found.tunnels[tunnel.name] else { return false }
        return other.canBecome(tunnel) && other.remote == tunnel.remote && other.local == tunnel.local
          && other.bridge == tunnel.bridge
          && tunnels[id]?.index(to: tunnel.remote).flatMap { links[$0]?.isUp } ?? false
      }
  }

  /// Compares what was remembered of these networks with what really stands, by one dump for all of them.
  func lookAgain(at networks: Set<NetworkID>, wanted: OverlayState = OverlayState()) {
    guard let found = try? applier.observe(wanted: wanted) else { return }
    for network in networks { observed.networks[network] = found.networks[network] }
    observed.others = found.others
    _ = try? refreshLinks()
  }

  // MARK: The path of a MAC that moves

  /// The MAC is at another host now. One message to the kernel.
  ///
  /// - Returns: false if there is no tunnel to that host yet.
  func setRemote(_ mac: MACAddress, network id: NetworkID, at vtep: VTEP) throws -> Bool {
    guard let tunnels = tunnels[id] else { return true }
    if let vxlan = tunnels.vxlan {
      try network.replaceRemote(mac, tunnel: vxlan, vtep)
      observed.networks[id]?.tunnelEntries[mac] = vtep
      if let name = links[vxlan]?.name { observed.networks[id]?.bridgeEntries[mac] = BridgeEntry(port: name) }
    } else if let tap = tunnels.tap, let name = links[tap]?.name, let vni = OverlayNames.vni(ofTAP: name) {
      guard userPath?.carries(vni, by: name) == true else { return false }
      userPath?.path.setRemote(mac, vtep, in: vni)
      userPath?.path.publish()
      observed.networks[id]?.tunnelEntries[mac] = vtep
      try network.replacePort(mac, port: tap)
      observed.networks[id]?.bridgeEntries[mac] = BridgeEntry(port: name)
    } else {
      guard let port = tunnels.index(to: vtep), let name = links[port]?.name else { return false }
      try network.replacePort(mac, port: port)
      observed.networks[id]?.bridgeEntries[mac] = BridgeEntry(port: name)
    }
    return true
  }

  /// The MAC is behind this port here.
  func setLocal(_ mac: MACAddress, network id: NetworkID, port: Int32) -> KernelError? {
    var changes: [FDBChange] = [.setPort(mac, port: port)]
    if let vxlan = tunnels[id]?.vxlan { changes.append(.removeTunnelEntry(mac, tunnel: vxlan)) }
    let failures = network.apply(changes)
    if let tap = tunnels[id]?.tap, let vni = links[tap].flatMap({ OverlayNames.vni(ofTAP: $0.name) }) {
      userPath?.path.removeRemote(mac, in: vni)
      userPath?.path.publish()
    }
    if !failures.contains(where: { $0.index == 1 }) { observed.networks[id]?.tunnelEntries[mac] = nil }
    if !failures.contains(where: { $0.index == 0 }), let name = links[port]?.name {
      observed.networks[id]?.bridgeEntries[mac] = BridgeEntry(port: name)
    }
    return failures.first?.error
  }

  /// Nobody has the MAC any more: its entries go, if `keeps` lets them.
  ///
  /// - Returns: whether none is left.
  func remove(_ mac: MACAddress, network id: NetworkID, keeps: (Change) -> Bool) -> Bool {
    guard let state = observed.networks[id] else { return true }
    var changes: [Change] = []
    if let entry = state.bridgeEntries[mac] { changes.append(.removeBridgeEntry(mac, port: entry.port)) }
    if state.tunnelEntries[mac] != nil, let tunnel = state.tunnels.values.first(where: { $0.remote == nil }) {
      changes.append(.removeTunnelEntry(mac, tunnel: tunnel.name))
    }
    let wanted = changes.count
    changes.removeAll(where: keeps)
    guard changes.count == wanted else { return false }
    let result = applier.carryOut(changes)
    for change in result.done { observed.networks[id]?.note(change) }
    return result.done.count == wanted
  }

  /// Whether the bridge was last set to have the MAC behind this port.
  func isLocal(_ mac: MACAddress, network id: NetworkID, port: Int32) -> Bool {
    guard let state = observed.networks[id], let name = links[port]?.name else { return false }
    return state.bridgeEntries[mac]?.port == name && state.tunnelEntries[mac] == nil
  }

  // MARK: Underlay

  /// Whether an event about this address may have changed the underlay.
  func concernsUnderlay(_ address: InterfaceAddress) -> Bool {
    address.interface == underlay.interface || address.address == underlay.address
      || links[address.interface]?.name == wantedUnderlay
  }

  func concernsUnderlay(interface: Int32, name: String) -> Bool {
    interface == underlay.interface || name == wantedUnderlay
  }

  enum UnderlayChange {
    /// The address is another one; it is in force once `take` was called with it.
    case address(Underlay)
    /// There is no such address on this host any more; the sentence says what to do.
    case gone(String)
    /// The address that was gone is there again.
    case back
    case mtu(interface: String, Int)
    /// The interface has another number, went down or came up.
    case other
  }

  /// Looks whether the underlay's address, interface or MTU is another one now. An address that is gone may come back:
  /// what was known of it stays.
  func followUnderlay() -> UnderlayChange? {
    let now: Underlay
    switch Result(catching: { () throws(KernelError) in
      try network.findUnderlay(wantedUnderlay, keeping: underlay.address)
    }) {
    case .success(.ready(let found)): now = found
    case .success(.pending(let sentence)): return underlayGone(sentence)
    case .failure(let error): return underlayGone("\(error)")
    }
    let wasGone = isUnderlayGone
    guard now.address == underlay.address else { return .address(now) }
    isUnderlayGone = false
    guard now != underlay || wasGone else { return nil }
    let before = underlay
    underlay = now
    if wasGone { return .back }
    return now.mtu == before.mtu ? .other : .mtu(interface: now.name, now.mtu)
  }

  private func underlayGone(_ sentence: String) -> UnderlayChange? {
    guard !isUnderlayGone else { return nil }
    isUnderlayGone = true
    return .gone(isUnderlayFixed ? "\(sentence) \(Self.adviceOnFixed)" : sentence)
  }

  /// Another address is in use from now on.
  func take(_ new: Underlay) {
    isUnderlayGone = false
    underlay = new
    followUserPath()
  }

  /// The packet path in user space stands at this host's address, whatever it is now; what failed is tried again. Called
  /// with each look at the underlay.
  func followUserPath() {
    guard let userPath else { return }
    userPath.protection.move(to: underlay.address)
    // Why not is told by `bindFailure`.
    try? userPath.bind(to: underlay.address)
    userPath.path.publish()
  }

  /// `--underlay` names an address, so no other one can take its place.
  var isUnderlayFixed: Bool { IPAddress(wantedUnderlay) != nil }

  static let adviceOnFixed =
    "Give this host the address back, or start weftd with another --underlay; with the name of an interface, weftd follows its address."

  // MARK: The host's firewall

  /// Used by the engine, too, which hears how a request went.
  var firewall = FirewallExemption()

  /// Where `br_netfilter` sends bridged frames through the host's firewall, what is to be done to exempt our bridges'.
  func exemption(isCheck: Bool, now: Instant) -> FirewallExemption.Request? {
    firewall.request(
      observed.networks.values.compactMap { $0.bridge?.name }.sorted(), isCheck: isCheck, now: now,
      isActive: { BridgeNetfilter.current().isActive })
  }

  /// Takes away everything that Weft made for this pool, and nothing else.
  ///
  /// - Returns: what could not be taken away, one sentence each.
  func removeAll() -> [String] {
    do {
      let found = try applier.observe(wanted: OverlayState())
      let outcome = applier.apply(OverlayState.plan(from: found, to: OverlayState(others: found.others)))
      observed = OverlayState()
      var failures = outcome.errors.values.flatMap { $0 }
      let exempted = firewall.end()
      if !exempted.isEmpty { failures += BridgeNetfilter.exempt(bridges: [], gone: exempted) }
      let areTunnelsGone = failures.isEmpty
      protectedGRE = [:]
      return (failures.map(\.description) + removeProtection(areTunnelsGone: areTunnelsGone)).sorted()
    } catch {
      return ["\(error)"] + removeProtection(areTunnelsGone: false)
    }
  }

  /// The host that an entry for a MAC leads to, as last seen; nil if the entry is on no tunnel.
  func vtep(of mac: MACAddress, tunnel: String) -> VTEP? {
    guard let network = observed.networks.values.first(where: { $0.tunnels[tunnel] != nil }) else { return nil }
    return network.tunnels[tunnel]?.remote ?? network.tunnelEntries[mac]
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
    guard let tunnel = state.tunnels[link.name], tunnel.mtu == link.mtu, link.isUp else { return false }
    if let gre = link.gre {
      guard gre.remote == tunnel.remote, gre.local == tunnel.local, link.port?.floods == tunnel.floods else {
        return false
      }
    }
    return link.master.flatMap { links[$0]?.name } == tunnel.bridge
  }

  /// Whether a device that is gone was still believed to stand: not if this agent removed it.
  func hasSeen(device name: String, of network: NetworkID) -> Bool {
    guard let state = observed.networks[network] else { return false }
    return state.bridge?.name == name || state.tunnels[name] != nil
  }
}

extension NetworkState {
  /// Takes up what was done to the network's entries; devices are looked at instead.
  fileprivate mutating func note(_ change: Change) {
    switch change {
    case .setRemote(let mac, let vtep, let tunnel):
      tunnelEntries[mac] = vtep
      bridgeEntries[mac] = BridgeEntry(port: tunnel)
    case .setPort(let mac, let port): bridgeEntries[mac] = BridgeEntry(port: port)
    case .addFlood(let vtep, _): flood.insert(vtep)
    case .removeFlood(let vtep, _): flood.remove(vtep)
    case .startFlooding(_, let tunnel): tunnels[tunnel]?.floods = true
    case .stopFlooding(_, let tunnel): tunnels[tunnel]?.floods = false
    case .removeTunnelEntry(let mac, _): tunnelEntries[mac] = nil
    case .removeBridgeEntry(let mac, let port): if bridgeEntries[mac]?.port == port { bridgeEntries[mac] = nil }
    case .ensureBridge, .ensureTunnel, .removeTunnel, .removeBridge: break
    }
  }
}

extension Change {
  fileprivate var isAboutDevice: Bool {
    switch self {
    case .ensureBridge, .ensureTunnel, .removeTunnel, .removeBridge: true
    case .setRemote, .setPort, .addFlood, .removeFlood, .startFlooding, .stopFlooding, .removeTunnelEntry,
      .removeBridgeEntry:
      false
    }
  }

  var isTunnelRemoval: Bool { if case .removeTunnel = self { true } else { false } }

  /// Takes something away that traffic may go by.
  var isRemoval: Bool {
    switch self {
    case .removeFlood, .stopFlooding, .removeTunnelEntry, .removeBridgeEntry, .removeTunnel, .removeBridge: true
    case .ensureBridge, .ensureTunnel, .setRemote, .setPort, .addFlood, .startFlooding: false
    }
  }
}
