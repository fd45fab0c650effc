import Wire

/// The steps that bring about the tunnels of one network.
struct TunnelPlan {
  /// What stands once `changes` are done. What the kernel forgets on the way is gone from it.
  private(set) var present: NetworkState
  private(set) var changes: [Change] = []
  private let wanted: [String: TunnelState]
  private var places: [TunnelState.Place: String]

  init(from found: NetworkState, to wanted: NetworkState) {
    present = found
    self.wanted = wanted.tunnels
    places = Dictionary(found.tunnels.values.map { ($0.place, $0.name) }, uniquingKeysWith: { min($0, $1) })
  }

  /// Those that nobody is in the way of come first; a tunnel that changes its place makes room for the next one. What
  /// then still is in the way goes.
  ///
  /// What another packet path left goes before all: with both in the bridge, what comes in by one would go out by the
  /// other.
  mutating func make() {
    for other in present.tunnels.values.sorted(by: { $0.name < $1.name }) where isOfOtherPath(other) { remove(other) }
    var waiting = wanted.values.filter { present.tunnels[$0.name]?.isDevice($0) != true }.sorted { $0.name < $1.name }
    while !waiting.isEmpty {
      var blocked: [TunnelState] = []
      for tunnel in waiting {
        if obstacle(to: tunnel) == nil { make(tunnel) } else { blocked.append(tunnel) }
      }
      if blocked.count == waiting.count, let other = blocked.first.flatMap({ obstacle(to: $0) }) { remove(other) }
      waiting = blocked
    }
  }

  /// Tunnels that nobody wants any more, last of all.
  var removals: [Change] {
    present.tunnels.values.filter { wanted[$0.name] == nil }.sorted { $0.name < $1.name }
      .map { $0.removal(serves: $0.remote) }
  }

  private func isOfOtherPath(_ tunnel: TunnelState) -> Bool {
    wanted.values.contains { $0.isTAP != tunnel.isTAP }
  }

  private func obstacle(to tunnel: TunnelState) -> TunnelState? {
    places[tunnel.place].flatMap { $0 == tunnel.name ? nil : present.tunnels[$0] }
  }

  private mutating func make(_ tunnel: TunnelState) {
    if let old = present.tunnels[tunnel.name] {
      if !old.canBecome(tunnel) { remove(old) } else { leave(old) }
      if old.bridge != tunnel.bridge { forgetEntries(of: old) }
    }
    changes.append(.ensureTunnel(tunnel))
    var made = tunnel
    made.floods = present.tunnels[tunnel.name]?.floods ?? false
    // A tunnel that is put into a bridge floods nothing at first.
    if present.tunnels[tunnel.name]?.bridge != tunnel.bridge { made.floods = false }
    present.tunnels[tunnel.name] = made
    places[tunnel.place] = tunnel.name
  }

  private mutating func remove(_ tunnel: TunnelState) {
    changes.append(tunnel.removal(serves: nil))
    leave(tunnel)
    present.tunnels[tunnel.name] = nil
    if tunnel.remote == nil {
      present.flood = []
      present.tunnelEntries = [:]
    }
    forgetEntries(of: tunnel)
  }

  private mutating func leave(_ tunnel: TunnelState) {
    if places[tunnel.place] == tunnel.name { places[tunnel.place] = nil }
  }

  private mutating func forgetEntries(of tunnel: TunnelState) {
    present.bridgeEntries = present.bridgeEntries.filter { $0.value.port != tunnel.name }
  }
}

extension TunnelState {
  func removal(serves: VTEP?) -> Change { .removeTunnel(name: name, alias: alias, serves: serves) }
}

extension NetworkState {
  /// The tunnel that has a flood list and entries of its own.
  var tunnelToAll: TunnelState? { tunnels.values.first { $0.remote == nil } }

  func floods(_ tunnel: String) -> Bool { tunnels[tunnel]?.floods ?? false }
}
