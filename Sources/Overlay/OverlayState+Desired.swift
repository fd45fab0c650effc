import Registry
import Wire

extension OverlayState {
  /// What should stand on this host, and why some networks cannot.
  ///
  /// - Parameters:
  ///   - inputs: every network of the pool, in any order.
  ///   - pool: the pool's name in the alias of devices.
  ///   - mechanisms: the ways to carry frames that this host has.
  package static func desired(
    _ inputs: [NetworkPlanInput], pool: String, host: HostID, mechanisms: Set<Mechanism>
  ) -> (state: OverlayState, problems: [NetworkID: OverlayProblem]) {
    var state = OverlayState()
    var problems: [NetworkID: OverlayProblem] = [:]
    let winners = Set(inputs.filter { $0.conflict == nil }.map(\.bridge))
    for input in inputs.sorted(by: { $0.id < $1.id }) {
      if let problem = input.problem(mechanisms) {
        problems[input.id] = problem
        // The bridge stays for the guests in it, unless the network that won the conflict needs its name.
        if input.conflict == nil || !winners.contains(input.bridge) { state.suspended.insert(input.id) }
      } else {
        state.networks[input.id] = input.state(alias: OverlayAlias(pool: pool, network: input.id), host: host)
      }
    }
    return (state, problems)
  }
}

extension NetworkPlanInput {
  fileprivate func problem(_ mechanisms: Set<Mechanism>) -> OverlayProblem? {
    if let conflict { return .conflict(conflict) }
    if Mechanism.choose(encapsulation, encryption, from: mechanisms) != nil { return nil }
    return encryption == .required ? .cannotEncrypt(network: name) : .cannotCarry(network: name, encapsulation)
  }

  fileprivate func state(alias: OverlayAlias, host: HostID) -> NetworkState {
    let tunnel = OverlayNames.vxlan(vni)
    // A MAC that lives here is here, whatever others say of it.
    let elsewhere = remote.filter { local[$0.key] == nil && $0.value != localVTEP }
    var entries = local.mapValues { BridgeEntry(port: $0) }
    for mac in elsewhere.keys { entries[mac] = BridgeEntry(port: tunnel) }
    return NetworkState(
      bridge: BridgeState(
        name: bridge, mac: OverlayNames.mac(.bridge, network: id, host: host), mtu: mtu, alias: alias),
      tunnel: TunnelState(
        name: tunnel, mac: OverlayNames.mac(.tunnel, network: id, host: host), vni: vni, local: localVTEP,
        port: OverlayNames.clearVXLANPort, mtu: mtu, alias: alias, bridge: bridge),
      flood: flood.subtracting([localVTEP]), tunnelEntries: elsewhere, bridgeEntries: entries)
  }
}
