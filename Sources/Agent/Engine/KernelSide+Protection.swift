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
    protection?.close(greKeys: Set(protectedGRE.values))
  }

  /// Whether the network's frames must not go in clear, as its record or its tunnels say.
  func isProtected(_ id: NetworkID, _ inputs: [NetworkPlanInput]) -> Bool {
    if let input = inputs.first(where: { $0.id == id }) { return input.encryption == .required }
    return protectedGRE[id] != nil
      || (observed.networks[id]?.tunnels ?? [:]).values
        .contains { $0.kind == .vxlan(port: OverlayNames.protectedVXLANPort) }
  }

  /// What an earlier run left to protect tunnels of the kernel goes when none of them is left.
  func removeLeftProtection() {
    guard let left = leftProtection else { return }
    let isNeeded = observed.networks.contains { id, state in
      state.tunnels.values.contains { !$0.isTAP && !isInClear(id, $0) }
    }
    if !isNeeded, left.remove().isEmpty { leftProtection = nil }
  }

  /// Whether the frames of this tunnel of the kernel may go in clear, as far as is known.
  private func isInClear(_ id: NetworkID, _ tunnel: TunnelState) -> Bool {
    switch tunnel.kind {
    case .vxlan(let port): port != OverlayNames.protectedVXLANPort
    case .gre: clearNetworks.contains(id)
    case .tap: true
    }
  }

  /// After everything was carried out: the keys of networks whose tunnels are gone are free again.
  func liftAfter(_ inputs: [NetworkPlanInput], _ scope: Set<NetworkID>) {
    guard !protectedGRE.isEmpty else { return }
    let wanted = Set(inputs.filter(\.isProtectedGRE).map(\.id))
    for id in scope where !wanted.contains(id) && (observed.networks[id]?.tunnels ?? [:]).isEmpty {
      protectedGRE[id] = nil
    }
    protection?.close(greKeys: Set(protectedGRE.values))
  }

  /// Tunnels that an earlier run left and whose key it closed stay closed for as long as they stand.
  func noteProtectedGRE() {
    guard let protection else { return }
    for (id, state) in observed.networks where protectedGRE[id] == nil {
      for tunnel in state.tunnels.values where tunnel.remote != nil && protection.isClosed(tunnel.vni) {
        protectedGRE[id] = tunnel.vni
      }
    }
  }
}

extension NetworkPlanInput {
  fileprivate var isProtectedGRE: Bool { encapsulation == .gre && encryption == .required && conflict == nil }
}
