import Kernel
import Overlay
import Registry
import Wire

// Encrypted networks get tunnels only behind a lock, and the lock of a GRE key goes only after its tunnels.
extension KernelSide {
  /// Why no encrypted network may have a tunnel now; nil if at least one lock holds.
  var openReason: String? {
    guard let protection, let filter = protection.locks.filter?.description,
      let policies = protection.locks.policies?.description ?? bypass
    else { return nil }
    return "Nothing keeps its frames from leaving in clear now. \(policies) \(filter)"
  }

  /// What is wrong with the locks although one of them holds; nil if nothing is, or what was known at start.
  var lockComplaint: String? {
    guard let protection, openReason == nil else { return nil }
    let failure = [protection.locks.policies, protection.locks.filter].compactMap { $0 }
      .first { !protection.isProven($0) }
    guard let sentence = failure?.description ?? bypass else { return nil }
    return "Only one of two locks keeps its frames from leaving in clear. \(sentence)"
  }

  /// Why this host has no keys of the data path, where it has none.
  var keysObstacle: String { obstacle(to: .vxlan, .required) ?? "See `weft doctor`." }

  /// A setting of the host that lets packets pass its policies by.
  private var bypass: String? { KernelXFRM.underlayBypass(interface: underlay.name) }

  /// Before anything is made: the ways that the encrypted ones of these networks go are closed.
  func closeBefore(_ inputs: [NetworkPlanInput]) {
    for input in inputs {
      if input.isProtectedGRE { protectedGRE[input.id] = input.vni }
      if input.encryption == .off { clearNetworks.insert(input.id) }
    }
    guard let protection else { return }
    // What an earlier run closed for tunnels that were not looked at yet stays closed.
    protection.close(greKeys: closedKeys.union(protection.closedKeys))
  }

  /// Behind a look at all tunnels: keys that none of them needs any more are free.
  func openFreed() {
    guard areTunnelsKnown else { return }
    protection?.close(greKeys: closedKeys)
  }

  private var closedKeys: Set<VNI> { foreignGRE.union(protectedGRE.values) }

  /// Whether the network's frames must not go in clear, as its record or its tunnels say.
  func isProtected(_ id: NetworkID, _ inputs: [NetworkPlanInput]) -> Bool {
    if let input = inputs.first(where: { $0.id == id }) { return input.encryption == .required }
    return protectedGRE[id] != nil
      || (observed.networks[id]?.tunnels ?? [:]).values
        .contains { $0.kind == .vxlan(port: OverlayNames.protectedVXLANPort) }
  }

  /// What an earlier run left to protect tunnels of the kernel goes when none of them is left, of whatever pool.
  func removeLeftProtection(now: Instant) {
    guard leftProtection != nil, !observed.networks.contains(where: { isKeptClosed($0.key, $0.value) }) else { return }
    let isGone =
      leftProtection?.remove(now: now, links: { try network.links() }, isInClear: { clearNetworks.contains($0) })
      ?? true
    if isGone { leftProtection = nil }
  }

  /// Whether a tunnel of this pool's network, as last seen, may be one that must not carry frames in clear. Spares a dump.
  private func isKeptClosed(_ id: NetworkID, _ state: NetworkState) -> Bool {
    state.tunnels.values.contains { tunnel in
      switch tunnel.kind {
      case .vxlan(let port): port == OverlayNames.protectedVXLANPort
      case .gre: !clearNetworks.contains(id)
      case .tap: false
      }
    }
  }

  /// At the end of a membership, behind the tunnels: keys of the pool go in any case, what closes only when no tunnel of
  /// whatever pool can need it.
  ///
  /// - Parameter areTunnelsGone: all tunnels of this pool could be removed.
  /// - Returns: what could not be taken away, one sentence each.
  func removeProtection(areTunnelsGone: Bool) -> [String] {
    userPath?.leave()
    let need = LeftProtection.need({ try network.links() }, { clearNetworks.contains($0) })
    let isFree = areTunnelsGone && need == nil
    var failures: [String] = []
    if let protection {
      failures = protection.removeAll(keepsLocks: !isFree).map(\.description)
    } else if leftProtection != nil, isFree {
      failures = LeftProtection.removeAll().map(\.description)
      if failures.isEmpty { leftProtection = nil }
    }
    if let need, protection != nil || leftProtection != nil { failures.append(need) }
    return failures
  }

  /// After everything was carried out: the keys of networks whose tunnels are gone are free again.
  func liftAfter(_ inputs: [NetworkPlanInput], _ scope: Set<NetworkID>) {
    let wanted = Set(inputs.filter(\.isProtectedGRE).map(\.id))
    for id in scope where !wanted.contains(id) && (observed.networks[id]?.tunnels ?? [:]).isEmpty {
      protectedGRE[id] = nil
    }
    openFreed()
  }

  /// Tunnels that an earlier run left and whose key it closed stay closed for as long as they stand.
  func noteProtectedGRE() {
    guard let protection else { return }
    for (id, state) in observed.networks where protectedGRE[id] == nil {
      for tunnel in state.tunnels.values where tunnel.remote != nil && protection.isClosed(tunnel.vni) {
        protectedGRE[id] = tunnel.vni
      }
    }
    foreignGRE = []
    for link in links.values where network(ofDevice: link.index) == nil {
      guard let gre = link.gre, link.mustStayClosed({ clearNetworks.contains($0) }),
        let key = VNI(gre.inputKey ?? gre.outputKey ?? 0), protection.isClosed(key)
      else { continue }
      foreignGRE.insert(key)
    }
    areTunnelsKnown = true
  }
}

extension NetworkPlanInput {
  fileprivate var isProtectedGRE: Bool { encapsulation == .gre && encryption == .required && conflict == nil }
}
