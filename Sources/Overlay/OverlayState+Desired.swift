import Registry
import Wire

extension OverlayState {
  /// What should stand on this host, and why some networks cannot.
  ///
  /// - Parameters:
  ///   - inputs: every network of the pool, in any order.
  ///   - pool: the pool's name in the alias of devices.
  ///   - mechanisms: the ways to carry frames that this host has.
  ///   - reasons: sentences that say what is missing for the others.
  package static func desired(
    _ inputs: [NetworkPlanInput], pool: String, host: HostID, mechanisms: Set<Mechanism>,
    reasons: [Mechanism: String] = [:]
  ) -> (state: OverlayState, problems: [NetworkID: OverlayProblem]) {
    var state = OverlayState()
    var problems: [NetworkID: OverlayProblem] = [:]
    let winners = Set(inputs.filter { $0.conflict == nil }.map(\.bridge))
    for input in inputs.sorted(by: { $0.id < $1.id }) {
      let mechanism = Mechanism.choose(input.encapsulation, input.encryption, from: mechanisms)
      if let mechanism, input.conflict == nil {
        state.networks[input.id] = input.state(
          by: mechanism, alias: OverlayAlias(pool: pool, network: input.id), host: host)
      } else {
        problems[input.id] = input.problem(reasons)
        // The bridge stays for the guests in it, unless the network that won the conflict needs its name.
        if input.conflict == nil || !winners.contains(input.bridge) { state.suspended.insert(input.id) }
      }
    }
    return (state, problems)
  }
}

extension NetworkPlanInput {
  fileprivate func problem(_ reasons: [Mechanism: String]) -> OverlayProblem {
    if let conflict { return .conflict(conflict) }
    let reason = Mechanism.obstacle(to: encapsulation, encryption, in: reasons)
    return encryption == .required
      ? .cannotEncrypt(network: name, encapsulation, reason: reason)
      : .cannotCarry(network: name, encapsulation, reason: reason)
  }

  fileprivate func state(by mechanism: Mechanism, alias: OverlayAlias, host: HostID) -> NetworkState {
    var state = NetworkState(
      bridge: BridgeState(
        name: bridge, mac: OverlayNames.mac(.bridge, network: id, host: host), mtu: mtu, alias: alias),
      bridgeEntries: local.mapValues { BridgeEntry(port: $0) })
    // A MAC that lives here is here, whatever others say of it.
    let elsewhere = remote.filter { local[$0.key] == nil && $0.value != localVTEP }
    switch mechanism {
    case .kernelVXLANInClear, .kernelVXLANInESP, .userVXLANInESP, .userGREInESP:
      let tunnel = tunnelToAll(mechanism, alias, host)
      state.tunnels[tunnel.name] = tunnel
      state.flood = flood.subtracting([localVTEP])
      state.tunnelEntries = elsewhere
      for mac in elsewhere.keys { state.bridgeEntries[mac] = BridgeEntry(port: tunnel.name) }
    case .kernelGREInClear, .kernelGREInESP:
      var ports: [VTEP: String] = [:]
      for (vtep, tunnel) in gre(alias, host) {
        state.tunnels[tunnel.name] = tunnel
        ports[vtep] = tunnel.name
      }
      for (mac, vtep) in elsewhere { state.bridgeEntries[mac] = ports[vtep].map { BridgeEntry(port: $0) } }
    }
    return state
  }

  private func tunnelToAll(_ mechanism: Mechanism, _ alias: OverlayAlias, _ host: HostID) -> TunnelState {
    let port = encryption == .off ? OverlayNames.clearVXLANPort : OverlayNames.protectedVXLANPort
    return TunnelState(
      name: mechanism.isInUserSpace ? OverlayNames.tap(vni) : OverlayNames.vxlan(vni),
      kind: mechanism.isInUserSpace ? .tap(encapsulation) : .vxlan(port: port),
      mac: OverlayNames.mac(.tunnel, network: id, host: host), vni: vni, local: localVTEP, mtu: mtu, alias: alias,
      bridge: bridge)
  }

  /// One to each other address. Of two hosts at one address (one was installed anew and the pool does not know yet) the
  /// lower ID names the tunnel for both, as the kernel takes only one.
  private func gre(_ alias: OverlayAlias, _ host: HostID) -> [VTEP: TunnelState] {
    var tunnels: [VTEP: TunnelState] = [:]
    var taken: Set<String> = []
    for (peer, vtep) in peers.sorted(by: { $0.key < $1.key }) {
      guard peer != host, vtep != localVTEP, vtep.isV6 == localVTEP.isV6, tunnels[vtep] == nil else { continue }
      let names = (0..<OverlayNames.greAttempts).map { OverlayNames.gre(vni, peer: peer, attempt: $0) }
      guard let name = names.first(where: { !taken.contains($0) }) else { continue }
      taken.insert(name)
      tunnels[vtep] = TunnelState(
        name: name, kind: .gre(remote: vtep), mac: OverlayNames.mac(.tunnelTo(peer), network: id, host: host),
        vni: vni, local: localVTEP, mtu: mtu, alias: alias, bridge: bridge, floods: flood.contains(vtep))
    }
    return tunnels
  }
}
