import Wire

/// One step from the kernel's state to the wanted one.
package enum Change: Hashable, Sendable {
  /// Create the bridge, or repair it while it lives.
  case ensureBridge(BridgeState)
  /// Create the tunnel and put it into its bridge, or repair it while it lives.
  case ensureTunnel(TunnelState)
  /// The MAC is at this host now: both tables in one step, whatever stood there.
  case setRemote(MACAddress, VTEP, tunnel: String)
  /// The MAC is behind this port now.
  case setLocal(MACAddress, port: String)
  case addFlood(VTEP, tunnel: String)
  case removeFlood(VTEP, tunnel: String)
  case removeTunnelEntry(MACAddress, tunnel: String)
  /// Only if the entry still points at this port.
  case removeBridgeEntry(MACAddress, port: String)
  /// Only if the alias is this one.
  case removeTunnel(name: String, alias: OverlayAlias)
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
