import Wire

extension OverlayState {
  /// The steps from what was found to what is wanted, by network. Networks without a step and without a problem are left
  /// out; what is not this pool's is never touched.
  ///
  /// The order loses no frame that could be carried: what goes away makes room first (two networks never need the same
  /// name at once otherwise), then devices, then new flood entries, then entries set by replacement, then removals. A
  /// MAC whose entry is missing is flooded, so nothing is removed before what takes its place stands, save what the
  /// kernel does not let stand at the same time.
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
    var changes: [Change] = found.tunnels.values.sorted { $0.name < $1.name }.map { $0.removal(serves: nil) }
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
      guard desired.networks[id] != nil else { continue }
      for tunnel in state.tunnels.values {
        taken[tunnel.name] = NameHolder(alias: tunnel.alias.description, network: id)
      }
    }
    return taken
  }

  private static func plan(
    _ id: NetworkID, from found: NetworkState, to wanted: NetworkState, taken: [String: NameHolder]
  ) -> NetworkPlan {
    for name in [wanted.bridge?.name].compactMap({ $0 }) + wanted.tunnels.keys.sorted() {
      if let holder = taken[name], holder.network != id {
        return NetworkPlan(network: id, changes: [], problem: .nameTaken(device: name, alias: holder.alias))
      }
    }
    var changes: [Change] = []
    if let bridge = wanted.bridge, found.bridge != bridge { changes.append(.ensureBridge(bridge)) }
    var tunnels = TunnelPlan(from: found, to: wanted)
    tunnels.make()
    changes += tunnels.changes
    changes += entryChanges(from: tunnels.present, to: wanted)
    changes += tunnels.removals
    if let old = found.bridge, let bridge = wanted.bridge, old.name != bridge.name {
      changes.append(.removeBridge(name: old.name, alias: old.alias))
    }
    return NetworkPlan(network: id, changes: changes)
  }

  private static func entryChanges(from found: NetworkState, to wanted: NetworkState) -> [Change] {
    let flooding = wanted.tunnels.values.sorted { $0.name < $1.name }.compactMap { tunnel in
      tunnel.remote.map { (name: tunnel.name, remote: $0, before: found.floods(tunnel.name), after: tunnel.floods) }
    }
    var changes: [Change] = flooding.filter { $0.after && !$0.before }.map {
      .startFlooding($0.remote, tunnel: $0.name)
    }
    let toAll = wanted.tunnelToAll?.name
    if let toAll { changes += wanted.flood.subtracting(found.flood).sorted().map { .addFlood($0, tunnel: toAll) } }
    for (mac, entry) in wanted.bridgeEntries.sorted(by: { $0.key < $1.key }) {
      if let vtep = wanted.tunnelEntries[mac] {
        guard found.tunnelEntries[mac] != vtep || found.bridgeEntries[mac] != entry else { continue }
        changes.append(.setRemote(mac, vtep, tunnel: entry.port))
      } else if found.bridgeEntries[mac] != entry,
        found.ports.contains(entry.port) || wanted.tunnels[entry.port] != nil
      {
        changes.append(.setPort(mac, port: entry.port))
      }
    }
    for (mac, entry) in found.bridgeEntries.sorted(by: { $0.key < $1.key }) where wanted.bridgeEntries[mac] == nil {
      let isOnTunnel = wanted.tunnels[entry.port] != nil
      // What is on a tunnel that goes goes with it.
      guard isOnTunnel || (entry.isFixed && found.tunnels[entry.port] == nil) else { continue }
      changes.append(.removeBridgeEntry(mac, port: entry.port))
    }
    if let toAll {
      for mac in found.tunnelEntries.keys.sorted() where wanted.tunnelEntries[mac] == nil {
        changes.append(.removeTunnelEntry(mac, tunnel: toAll))
      }
      changes += found.flood.subtracting(wanted.flood).sorted().map { .removeFlood($0, tunnel: toAll) }
    }
    return changes
      + flooding.filter { $0.before && !$0.after }.map { .stopFlooding($0.remote, tunnel: $0.name) }
  }
}
