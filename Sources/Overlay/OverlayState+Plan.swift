import Wire

extension OverlayState {
  /// The steps from what was found to what is wanted, by network. Networks without a step and without a problem are left
  /// out; what is not this pool's is never touched.
  ///
  /// The order loses no frame that could be carried: what goes away makes room first (two networks never need the same
  /// name at once otherwise), then devices, then new flood entries, then entries set by replacement, then removals. A
  /// MAC whose entry is missing is flooded, so nothing is removed before what takes its place stands.
  package static func plan(from observed: OverlayState, to desired: OverlayState) -> [NetworkPlan] {
    var plans: [NetworkPlan] = []
    for (id, found) in observed.networks.sorted(by: { $0.key < $1.key }) where desired.networks[id] == nil {
      let changes = removal(of: found, keepBridge: desired.suspended.contains(id))
      if !changes.isEmpty { plans.append(NetworkPlan(network: id, changes: changes)) }
    }
    let taken = observed.takenNames(leaving: desired)
    for (id, wanted) in desired.networks.sorted(by: { $0.key < $1.key }) {
      let found = observed.networks[id] ?? NetworkState()
      let plan = plan(id, from: found, to: wanted, taken: taken)
      if !plan.changes.isEmpty || plan.problem != nil { plans.append(plan) }
    }
    return plans
  }

  private static func removal(of found: NetworkState, keepBridge: Bool) -> [Change] {
    var changes: [Change] = []
    if let tunnel = found.tunnel { changes.append(.removeTunnel(name: tunnel.name, alias: tunnel.alias)) }
    if let bridge = found.bridge, !keepBridge {
      changes.append(.removeBridge(name: bridge.name, alias: bridge.alias))
    }
    return changes
  }

  /// Whoever has a name and keeps it.
  private struct NameHolder {
    var alias: String?
    /// nil for a stranger.
    var network: NetworkID?
  }

  /// Names that networks or strangers have and keep.
  private func takenNames(leaving desired: OverlayState) -> [String: NameHolder] {
    var taken = others.mapValues { NameHolder(alias: $0) }
    for (id, state) in networks {
      if let bridge = state.bridge, desired.networks[id] != nil || desired.suspended.contains(id) {
        taken[bridge.name] = NameHolder(alias: bridge.alias.description, network: id)
      }
      if let tunnel = state.tunnel, desired.networks[id] != nil {
        taken[tunnel.name] = NameHolder(alias: tunnel.alias.description, network: id)
      }
    }
    return taken
  }

  private static func plan(
    _ id: NetworkID, from found: NetworkState, to wanted: NetworkState, taken: [String: NameHolder]
  ) -> NetworkPlan {
    for name in [wanted.bridge?.name, wanted.tunnel?.name] {
      if let name, let holder = taken[name], holder.network != id {
        return NetworkPlan(network: id, changes: [], problem: .nameTaken(device: name, alias: holder.alias))
      }
    }
    var changes: [Change] = []
    if let bridge = wanted.bridge, found.bridge != bridge { changes.append(.ensureBridge(bridge)) }
    var present = found
    if let tunnel = wanted.tunnel {
      changes += tunnelChanges(&present, to: tunnel)
      changes += entryChanges(from: present, to: wanted, tunnel: tunnel.name)
    }
    if let old = found.bridge, let bridge = wanted.bridge, old.name != bridge.name {
      changes.append(.removeBridge(name: old.name, alias: old.alias))
    }
    return NetworkPlan(network: id, changes: changes)
  }

  /// Takes from `present` what the kernel forgets when the tunnel is made anew or changes its bridge.
  private static func tunnelChanges(_ present: inout NetworkState, to tunnel: TunnelState) -> [Change] {
    guard let old = present.tunnel else { return [.ensureTunnel(tunnel)] }
    guard old != tunnel else { return [] }
    if old.bridge != tunnel.bridge || !old.canBecome(tunnel) {
      present.bridgeEntries = present.bridgeEntries.filter { $0.value.port != old.name }
    }
    guard old.canBecome(tunnel) else {
      present.flood = []
      present.tunnelEntries = [:]
      return [.removeTunnel(name: old.name, alias: old.alias), .ensureTunnel(tunnel)]
    }
    return [.ensureTunnel(tunnel)]
  }

  private static func entryChanges(from found: NetworkState, to wanted: NetworkState, tunnel: String) -> [Change] {
    var changes: [Change] = wanted.flood.subtracting(found.flood).sorted().map { .addFlood($0, tunnel: tunnel) }
    for (mac, vtep) in wanted.tunnelEntries.sorted(by: { $0.key < $1.key })
    where found.tunnelEntries[mac] != vtep || found.bridgeEntries[mac] != wanted.bridgeEntries[mac] {
      changes.append(.setRemote(mac, vtep, tunnel: tunnel))
    }
    for (mac, entry) in wanted.bridgeEntries.sorted(by: { $0.key < $1.key })
    where entry.port != tunnel && found.bridgeEntries[mac] != entry && found.ports.contains(entry.port) {
      changes.append(.setLocal(mac, port: entry.port))
    }
    for (mac, entry) in found.bridgeEntries.sorted(by: { $0.key < $1.key })
    where wanted.bridgeEntries[mac] == nil && (entry.isFixed || entry.port == tunnel) {
      changes.append(.removeBridgeEntry(mac, port: entry.port))
    }
    for mac in found.tunnelEntries.keys.sorted() where wanted.tunnelEntries[mac] == nil {
      changes.append(.removeTunnelEntry(mac, tunnel: tunnel))
    }
    changes += found.flood.subtracting(wanted.flood).sorted().map { .removeFlood($0, tunnel: tunnel) }
    return changes
  }
}
