import Kernel
import Overlay
import Registry
import Wire

// Keeping the kernel as the registry wants it.
extension Node {
  func watchKernel() {
    let monitor = around.kernel.monitor
    do {
      try around.reactor.watch(monitor.descriptor, for: .read) { [weak self] in self?.monitorReadable() }
      kernelUpkeep.monitorWorks()
    } catch {
      around.log.critical("\(error)")
      kernelUpkeep.monitorFailed(now: Reactor.now())
    }
  }

  /// Takes all events that wait, up to a limit: what a whole batch tells is acted on once.
  private func monitorReadable() {
    let now = Reactor.now()
    let monitor = around.kernel.monitor
    var events: [KernelEvent] = []
    do {
      for _ in 0..<Self.batchesOfEvents {
        let more = try monitor.receive()
        if more.isEmpty { break }
        events += more
      }
    } catch {
      // It would be readable for ever: it is closed, and another one is opened a little later.
      around.log.error("\(error)")
      around.reactor.unwatch(monitor.descriptor)
      kernelUpkeep.monitorFailed(now: now)
    }
    kernelEvents(events, now)
    endTurn(now)
  }

  private static let batchesOfEvents = 8

  private func reopenMonitor(_ now: Instant) {
    do { try around.kernel.reopenMonitor() } catch {
      around.log.error("\(error)")
      kernelUpkeep.monitorFailed(now: now)
      return
    }
    watchKernel()
    reconcileAll(now)
  }

  /// What was to be tried again by now.
  func advanceUpkeep(_ now: Instant) {
    staleNetworks.formUnion(kernelUpkeep.takeDueNetworks(now: now))
    for (network, mac) in kernelUpkeep.takeDueMACs(now: now) { restoreRemote(network, mac) }
    if kernelUpkeep.takeDueMonitor(now: now) { reopenMonitor(now) }
  }

  // MARK: One MAC

  /// The path of a MAC that moves: its entry is replaced in one step, before anything else is done.
  func bindingChanged(_ network: NetworkID, _ mac: MACAddress, old: Binding?, new: Binding?, now: Instant) {
    // Each host tells what it has stated in the order in which it did: until all is heard, a MAC seems to live where it
    // once did. What stands is newer, and all of it is compared after the first sync.
    guard isSynced else { return }
    guard let new else {
      let isLive = registry.localPort(network, mac) != nil
      if isLive || !around.kernel.remove(mac, network: network, keeps: { keeps($0, now) }) {
        staleNetworks.insert(network)
      }
      return
    }
    if let old, old.host == new.host { return }
    guard new.host != identity.hostID else {
      // Its entry may have been turned to the other host by the very input that brought the claim back.
      if let port = registry.localPort(network, mac).flatMap({ ports[$0] }),
        !around.kernel.isLocal(mac, network: network, port: port.index)
      {
        setLocal(mac, network, port)
      }
      return
    }
    setRemote(mac, network, at: new.host)
  }

  private func setRemote(_ mac: MACAddress, _ network: NetworkID, at host: HostID) {
    guard let vtep = vtep(of: host) else {
      staleNetworks.insert(network)
      return
    }
    do {
      if try !around.kernel.setRemote(mac, network: network, at: vtep) { staleNetworks.insert(network) }
    } catch {
      around.log.warning("\(error)")
      staleNetworks.insert(network)
    }
  }

  func setLocal(_ mac: MACAddress, _ network: NetworkID, _ port: VIFPort) {
    if let error = around.kernel.setLocal(mac, network: network, port: port.index) {
      around.log.warning("\(error)")
      staleNetworks.insert(network)
    }
  }

  /// A guest here transmits with a MAC that lives elsewhere: the bridge has turned the entry to the guest's port, static
  /// or not, and only this puts it back.
  func frameStrayed(_ network: NetworkID, _ mac: MACAddress, now: Instant) {
    guard isSynced, let owner = registry.binding(network, mac), owner.host != identity.hostID else { return }
    if kernelUpkeep.strayed(network, mac, now: now) { setRemote(mac, network, at: owner.host) }
  }

  private func restoreRemote(_ network: NetworkID, _ mac: MACAddress) {
    guard let owner = registry.binding(network, mac), owner.host != identity.hostID else { return }
    setRemote(mac, network, at: owner.host)
  }

  // MARK: Networks

  /// Sets right the networks that are marked, and tells the pool how they stand here.
  func setRight(_ now: Instant) {
    let stale = staleNetworks
    staleNetworks = []
    let views = views(of: stale)
    let gone = stale.subtracting(views.map(\.id))
    let ends = tunnelEnds
    let outcome = around.kernel.bringAbout(
      views.map { planInput($0, ends) }, gone: gone, host: identity.hostID, now: now, keeps: { keeps($0, now) })
    for view in views {
      // Told when its keys have come, or are late.
      let isTold = view.standing.contains(identity.hostID) || view.problems.contains { $0.host == identity.hostID }
      if outcome.failures[view.id] == nil, view.encryption == .required, !isTold, keys?.isWaiting == true { continue }
      let standing: NetworkStanding =
        if let reason = outcome.failures[view.id] {
          .fails(reason)
        } else if let complaint = outcome.complaints[view.id] ?? protectionComplaint(of: view)
          ?? underlayShortage(of: view)
        {
          .complains(complaint)
        } else {
          .stands
        }
      perform(registry.setNetworkStatus(view.id, standing, now: now), now: now)
    }
    for network in gone.sorted() { perform(registry.removeNetworkStatus(network, now: now), now: now) }
    for network in stale.sorted() {
      if outcome.retries.contains(network) {
        kernelUpkeep.failed(network, now: now)
      } else {
        kernelUpkeep.succeeded(network)
      }
    }
    exemptBridges(isCheck: false, now: now)
    // A bridge that has just come may have had ports before it was known as ours.
    let unknown = around.kernel.links.values.filter { link in
      guard ports[link.name] == nil, let master = link.master else { return false }
      return around.kernel.network(ofBridge: master).map(stale.contains) ?? false
    }
    for link in unknown.sorted(by: { $0.index < $1.index }) { portSeen(link, isLevel: true, now: now) }
  }

  private func views(of networks: Set<NetworkID>) -> [NetworkView] {
    // Each view is made from all networks, for conflicts: many at once are cheaper.
    if networks.count < 4 { return networks.sorted().compactMap { registry.network($0) } }
    return registry.networks.filter { networks.contains($0.id) }.sorted { $0.id < $1.id }
  }

  private func protectionComplaint(of view: NetworkView) -> String? {
    guard view.encryption == .required else { return nil }
    return around.kernel.lockComplaint ?? keysComplaint
  }

  private func exemptBridges(isCheck: Bool, now: Instant) {
    if let request = around.kernel.exemption(isCheck: isCheck, now: now) { around.send(.exempt(request)) }
  }

  /// How the host's firewall took the last request.
  func exempted(_ failure: String?) {
    if let failure, netfilterFailure != failure {
      around.tell(Event(kind: "firewall", message: "Bridged frames may be dropped by this host's firewall. \(failure)"))
    }
    netfilterFailure = failure
    // Bridges may have come meanwhile.
    if failure == nil { exemptBridges(isCheck: false, now: Reactor.now()) }
  }

  private func planInput(_ view: NetworkView, _ ends: [HostID: VTEP]) -> NetworkPlanInput {
    var remote: [MACAddress: VTEP] = [:]
    for (mac, binding) in registry.owners(of: view.id) where binding.host != identity.hostID {
      remote[mac] = ends[binding.host]
    }
    var conflict: String?
    if case .conflict(let other) = view.state {
      conflict =
        "Network \(view.name) has the VNI or the bridge of network \(name(of: other)), which was there before: delete one of them."
    }
    return NetworkPlanInput(
      id: view.id, name: view.name.text, vni: view.vni, bridge: view.bridge.text, encapsulation: view.encapsulation,
      encryption: view.encryption, mtu: Int(view.mtu.value), localVTEP: around.kernel.underlay.address,
      peers: ends.filter { isPeer($0.key) }, remote: remote, local: registry.localPorts(of: view.id),
      flood: Set(registry.floodList(view.id).compactMap { ends[$0] }), conflict: conflict)
  }

  /// Whether tunnels to the host are to stand.
  private func isPeer(_ host: HostID) -> Bool {
    host != identity.hostID && registry.hostView(host).map { $0.standing == .member } ?? true
  }

  /// Where the tunnels to all hosts end.
  private var tunnelEnds: [HostID: VTEP] {
    var ends: [HostID: VTEP] = [:]
    for host in registry.hosts.map(\.id) + lastAddresses.keys { ends[host] = vtep(of: host) }
    return ends
  }

  /// Where tunnels to the host end; nil if it is not known, or not of the kind of address that this host's own has.
  func vtep(of host: HostID) -> VTEP? {
    guard let address = endpoint(of: host)?.address, address.isV6 == around.kernel.underlay.address.isV6 else {
      return nil
    }
    return address
  }

  /// What is not to be done now: before the first sync nothing is removed, and no MAC is turned to another place; after
  /// it, what stands for a host that may forward without being able to say so is not removed.
  private func keeps(_ change: Change, _ now: Instant) -> Bool {
    let vtep: VTEP?
    let entry: ForwardingPatience.Entry
    switch change {
    case .removeFlood(let address, _), .stopFlooding(let address, _): (vtep, entry) = (address, .flood)
    case .removeTunnel(_, _, let address?): (vtep, entry) = (address, .flood)
    case .removeTunnelEntry(let mac, let tunnel), .removeBridgeEntry(let mac, let tunnel):
      (vtep, entry) = (around.kernel.vtep(of: mac, tunnel: tunnel), .unicast)
    case .setRemote, .setPort: return !isSynced
    default: return !isSynced && change.isRemoval
    }
    if !isSynced { return true }
    guard let vtep else { return false }
    var isKept = false
    for view in registry.hosts where view.standing == .member && view.id != identity.hostID && !view.isComplete {
      guard endpoint(of: view.id)?.address == vtep else { continue }
      let state = view.memberState
      if patience.protects(entry, of: view.id, state: state, isComplete: false, now: now) { isKept = true }
    }
    return isKept
  }

  /// Why the network's packets do not fit this host's underlay; nil if they do.
  private func underlayShortage(of view: NetworkView) -> String? {
    let underlay = around.kernel.underlay
    let isV6 = underlay.address.isV6
    let needed = view.mtu.underlayNeeded(encapsulation: view.encapsulation, encryption: view.encryption, isV6: isV6)
    guard underlay.mtu < needed else { return nil }
    let fitting = NetworkMTU(
      largestOn: underlay.mtu, encapsulation: view.encapsulation, encryption: view.encryption, isV6: isV6)
    let lower = fitting.map { ", or lower the network's with `weft network set \(view.name) --mtu \($0)`" } ?? ""
    return
      "Network \(view.name) has MTU \(view.mtu) and needs \(needed) bytes of underlay, but \(underlay.name) of this host has \(underlay.mtu): raise the MTU of \(underlay.name)\(lower)."
  }

  /// Everything is dumped, compared and repaired: at start, after lost events, and every 30 s.
  func reconcileAll(_ now: Instant) {
    underlayMayHaveChanged(now)
    adoptKeys(now)
    // Networks that the packet path lost are looked at below, and made anew.
    for problem in around.kernel.userPath?.takeProblems() ?? [] { around.log.warning("\(problem)") }
    do {
      let ends = tunnelEnds
      let inputs = registry.networks.map { planInput($0, ends) }
      try around.kernel.refresh(inputs, host: identity.hostID)
      // Tunnels of an earlier run may stand: what closes them is made sure of before anything else is looked at.
      around.kernel.closeBefore(inputs)
      around.kernel.openFreed()
    } catch {
      around.log.error("\(error)")
      return
    }
    noteDrops(now)
    reconcileKeys(now)
    adoptPorts(now)
    for network in registry.networks { staleNetworks.insert(network.id) }
    for network in around.kernel.observed.networks.keys { staleNetworks.insert(network) }
    around.kernel.removeLeftProtection(now: now)
    exemptBridges(isCheck: true, now: now)
  }

  /// Behind a dump of the links: what TAPs of an earlier run lost before this one is no news.
  private func noteDrops(_ now: Instant) {
    let kernel = around.kernel
    guard let counters = kernel.userPath?.path.counters() else { return }
    kernel.drops.note(
      counters.drops, overflows: counters.socketOverflows, taps: kernel.tapOverflows(kernel.links.values), now: now)
  }

  /// Events were lost. A storm of them must not become a storm of dumps.
  func overrun(_ now: Instant) {
    if let last = lastOverrun, now - last < Self.overrunInterval {
      nextReconcile = min(nextReconcile, last + Self.overrunInterval)
      return
    }
    lastOverrun = now
    reconcileAll(now)
  }

  private static let overrunInterval: Duration = .seconds(10)
}
