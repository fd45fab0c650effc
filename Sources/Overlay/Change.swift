import Wire

/// One step from the kernel's state to the wanted one.
package enum Change: Hashable, Sendable {
  /// Create the bridge, or repair it while it lives.
  case ensureBridge(BridgeState)
  /// Create the tunnel and put it into its bridge, or repair it while it lives. A new one floods nothing.
  case ensureTunnel(TunnelState)
  /// VXLAN or TAP: the MAC is at this host now, both tables in one step, whatever stood there.
  case setRemote(MACAddress, VTEP, tunnel: String)
  /// The MAC is behind this port of the bridge now: a guest's, or that of the GRE tunnel to its host.
  case setPort(MACAddress, port: String)
  /// VXLAN or TAP: the host gets a copy of each flooded frame.
  case addFlood(VTEP, tunnel: String)
  case removeFlood(VTEP, tunnel: String)
  /// GRE: flooded frames go into this tunnel, which ends there.
  case startFlooding(VTEP, tunnel: String)
  case stopFlooding(VTEP, tunnel: String)
  case removeTunnelEntry(MACAddress, tunnel: String)
  /// Only if the entry still points at this port.
  case removeBridgeEntry(MACAddress, port: String)
  /// Only if the alias is this one.
  ///
  /// `serves`: the host that is cut off by it; nil if the whole network goes or another tunnel takes the place.
  case removeTunnel(name: String, alias: OverlayAlias, serves: VTEP?)
  case removeBridge(name: String, alias: OverlayAlias)
}

/// The steps for one network, in the order in which they have to be done.
package struct NetworkPlan: Equatable, Sendable {
  package var network: NetworkID
  package var changes: [Change]
  /// Why some of what is wanted is not in `changes`.
  package var problem: OverlayProblem?

  package init(network: NetworkID, changes: [Change], problem: OverlayProblem? = nil) {
    self.network = network
    self.changes = changes
    self.problem = problem
  }
}
