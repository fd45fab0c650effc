import Wire

/// The kernel's objects of every network on this host, as they are wanted or as they were found.
package struct OverlayState: Equatable, Sendable {
  package var networks: [NetworkID: NetworkState]
  /// Networks that must not carry traffic here now. Their tunnel goes, their bridge stays as it is, with the guests in it.
  package var suspended: Set<NetworkID>
  /// Found interfaces that are not this pool's, by name, with their alias.
  package var others: [String: String?]

  package init(
    networks: [NetworkID: NetworkState] = [:], suspended: Set<NetworkID> = [], others: [String: String?] = [:]
  ) {
    self.networks = networks
    self.suspended = suspended
    self.others = others
  }
}

/// The objects of one network.
package struct NetworkState: Equatable, Sendable {
  package var bridge: BridgeState?
  /// By name: one of VXLAN or one TAP, or of GRE one to each other host.
  package var tunnels: [String: TunnelState]
  /// VXLAN or TAP: which VTEPs get a copy of each broadcast, unknown and multicast frame. For GRE see
  /// `TunnelState.floods`.
  package var flood: Set<VTEP>
  /// The own table of VXLAN or of the packet path: at which host a MAC is.
  package var tunnelEntries: [MACAddress: VTEP]
  /// The bridge's table: behind which port a MAC is. A remote one is behind a tunnel.
  package var bridgeEntries: [MACAddress: BridgeEntry]
  /// Found interfaces in the bridge, the tunnels left out. Not used in a wanted state: the toolstack decides it.
  package var ports: Set<String>

  package init(
    bridge: BridgeState? = nil, tunnels: [TunnelState] = [], flood: Set<VTEP> = [],
    tunnelEntries: [MACAddress: VTEP] = [:], bridgeEntries: [MACAddress: BridgeEntry] = [:], ports: Set<String> = []
  ) {
    self.bridge = bridge
    self.tunnels = Dictionary(tunnels.map { ($0.name, $0) }, uniquingKeysWith: { first, _ in first })
    self.flood = flood
    self.tunnelEntries = tunnelEntries
    self.bridgeEntries = bridgeEntries
    self.ports = ports
  }
}

package struct BridgeState: Hashable, Sendable {
  package var name: String
  package var mac: MACAddress
  package var mtu: Int
  package var alias: OverlayAlias
  /// It is up and everything that is the same for every bridge of ours is as it should be.
  package var isSound: Bool

  package init(name: String, mac: MACAddress, mtu: Int, alias: OverlayAlias, isSound: Bool = true) {
    self.name = name
    self.mac = mac
    self.mtu = mtu
    self.alias = alias
    self.isSound = isSound
  }
}

package struct BridgeEntry: Hashable, Sendable {
  package var port: String
  /// Set by hand; the other ones are learned and age.
  package var isFixed: Bool

  package init(port: String, isFixed: Bool = true) {
    self.port = port
    self.isFixed = isFixed
  }
}
