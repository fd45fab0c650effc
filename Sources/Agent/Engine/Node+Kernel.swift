import Kernel
import Overlay
import Registry
import Wire

// Keeping the kernel as the registry wants it.
extension Node {
  func watchKernel() {
    let monitor = around.kernel.monitor
    do {
      try around.reactor.watch(monitor.descriptor, for: .read) { [weak self] in
        guard let self else { return }
        let now = Reactor.now()
        do { kernelEvents(try monitor.receive(), now) } catch { around.log.error("\(error)") }
        endTurn(now)
      }
    } catch {
      around.log.critical("\(error)")
    }
  }

  // MARK: One MAC

  /// The path of a MAC that moves: its entry is replaced in one step, before anything else is done.
  func bindingChanged(_ network: NetworkID, _ mac: MACAddress, old: Binding?, new: Binding?, now: Instant) {
    guard let new else {
      staleNetworks.insert(network)
      return
    }
    guard new.host != identity.hostID else { return }
    if let old, old.host == new.host { return }
    guard let vtep = vtep(of: new.host) else {
      staleNetworks.insert(network)
      return
    }
    do { try around.kernel.setRemote(mac, network: network, at: vtep) } catch {
      around.log.warning("\(error)")
      staleNetworks.insert(network)
    }
  }

  // MARK: Networks

  /// Sets right the networks that are marked, and tells the pool how they stand here.
  func setRight(_ now: Instant) {
    let stale = staleNetworks
    staleNetworks = []
    let views = stale.sorted().compactMap { registry.network($0) }
    let gone = stale.filter { registry.network($0) == nil }
    let failures = around.kernel.bringAbout(
      views.map(planInput), gone: gone, host: identity.hostID, keeps: { !isSynced && $0.isRemoval || isProtected($0) })
    for view in views {
      let reason = failures[view.id] ?? underlayShortage(of: view)
      perform(
        registry.setNetworkStatus(view.id, reason.map { .fails($0) } ?? .stands, now: now), now: now)
    }
    for network in gone.sorted() {
      perform(registry.removeNetworkStatus(network, now: now), now: now)
    }
    if let failure = around.kernel.exemptBridges(), netfilterFailure != failure {
      netfilterFailure = failure
      around.tell(Event(kind: "firewall", message: "Bridged frames may be dropped by this host's firewall. \(failure)"))
    }
    // A bridge that has just come may have had ports before it was known as ours.
    for link in around.kernel.links.values.sorted(by: { $0.index < $1.index }) {
      if let master = link.master, let network = around.kernel.network(ofBridge: master), stale.contains(network),
        ports[link.name] == nil
      {
        portSeen(link, isLevel: true, now: now)
      }
    }
  }

  private func planInput(_ view: NetworkView) -> NetworkPlanInput {
    var remote: [MACAddress: VTEP] = [:]
    for (mac, binding) in registry.owners(of: view.id) where binding.host != identity.hostID {
      remote[mac] = vtep(of: binding.host)
    }
    var conflict: String?
    if case .conflict(let other) = view.state {
      conflict =
        "Network \(view.name) has the VNI or the bridge of network \(name(of: other)), which was there before: delete one of them."
    }
    return NetworkPlanInput(
      id: view.id, name: view.name.text, vni: view.vni, bridge: view.bridge.text, encapsulation: view.encapsulation,
      encryption: view.encryption, mtu: Int(view.mtu.value), localVTEP: around.kernel.underlay.address, remote: remote,
      local: registry.localPorts(of: view.id),
      flood: Set(registry.floodList(view.id).compactMap { vtep(of: $0) }), conflict: conflict)
  }

  /// Where tunnels to the host end; nil if it is not known, or not of the kind of address that this host's own has.
  private func vtep(of host: HostID) -> VTEP? {
    guard let address = endpoint(of: host)?.address, address.isV6 == around.kernel.underlay.address.isV6 else {
      return nil
    }
    return address
  }

  /// A host that has not told yet what it has in this run of ours is neither forgotten nor cut off: what stands in the
  /// kernel for it stays until it is heard, or for a while.
  private func isProtected(_ change: Change) -> Bool {
    let vtep: VTEP?
    switch change {
    case .removeFlood(let address, _): vtep = address
    case .removeTunnelEntry(let mac, let tunnel): vtep = around.kernel.vtep(of: mac, tunnel: tunnel)
    case .removeBridgeEntry(let mac, let port): vtep = around.kernel.vtep(of: mac, tunnel: port)
    default: return false
    }
    guard let vtep, Reactor.now() - startedAt < Self.unheardPatience else { return false }
    return registry.hosts.contains { view in
      view.standing == .member && view.id != identity.hostID && !view.isComplete
        && endpoint(of: view.id)?.address == vtep
    }
  }

  private static let unheardPatience: Duration = .seconds(60)

  /// Why the network's packets do not fit this host's underlay; nil if they do.
  private func underlayShortage(of view: NetworkView) -> String? {
    let underlay = around.kernel.underlay
    let overhead = NetworkMTU.largestOverhead(
      encapsulation: view.encapsulation, encryption: view.encryption, isV6: underlay.address.isV6)
    let needed = Int(view.mtu.value) + overhead
    guard underlay.mtu < needed else { return nil }
    return
      "Network \(view.name) has MTU \(view.mtu) and needs \(needed) bytes of underlay, but \(underlay.name) of this host has \(underlay.mtu): raise the MTU of \(underlay.name), or lower the network's with `weft network set \(view.name) --mtu \(underlay.mtu - overhead)`."
  }

  /// Everything is dumped, compared and repaired: at start, after lost events, and every 30 s.
  func reconcileAll(_ now: Instant) {
    do {
      try around.kernel.refresh(registry.networks.map(planInput), host: identity.hostID)
    } catch {
      around.log.error("\(error)")
      return
    }
    adoptPorts(now)
    for network in registry.networks { staleNetworks.insert(network.id) }
    for network in around.kernel.observed.networks.keys { staleNetworks.insert(network) }
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

  // MARK: Underlay

  func underlayMayHaveChanged(_ now: Instant) {
    guard let sentence = around.kernel.followUnderlay() else { return }
    around.tell(Event(kind: "underlayChanged", message: sentence))
    perform(registry.setHostRecord(hostRecord, now: now), now: now)
    for network in registry.networks { staleNetworks.insert(network.id) }
  }
}

extension Change {
  /// Takes something away that traffic may go by.
  var isRemoval: Bool {
    switch self {
    case .removeFlood, .removeTunnelEntry, .removeBridgeEntry, .removeTunnel, .removeBridge: true
    case .ensureBridge, .ensureTunnel, .setRemote, .setLocal, .addFlood: false
    }
  }
}
