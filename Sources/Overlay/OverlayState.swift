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
  package var tunnel: TunnelState?
  /// Which VTEPs get a copy of each broadcast, unknown and multicast frame.
  package var flood: Set<VTEP>
  /// The tunnel's own table: at which host a MAC is.
  package var tunnelEntries: [MACAddress: VTEP]
  /// The bridge's table: behind which port a MAC is. A remote one is behind the tunnel.
  package var bridgeEntries: [MACAddress: BridgeEntry]
  /// Found interfaces in the bridge, the tunnel left out. Not used in a wanted state: the toolstack decides it.
  package var ports: Set<String>

  package init(
    bridge: BridgeState? = nil, tunnel: TunnelState? = nil, flood: Set<VTEP> = [],
    tunnelEntries: [MACAddress: VTEP] = [:], bridgeEntries: [MACAddress: BridgeEntry] = [:], ports: Set<String> = []
  ) {
    self.bridge = bridge
    self.tunnel = tunnel
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

package struct TunnelState: Hashable, Sendable {
  package var name: String
  package var mac: MACAddress
  package var vni: VNI
  package var local: VTEP
  package var port: UInt16
  package var mtu: Int
  package var alias: OverlayAlias
  /// The bridge that it is in.
  package var bridge: String?
  /// As in `BridgeState`.
  package var isSound: Bool
  /// It has a setting that can only be given at creation and is not as it should be.
  package var isWrongForLife: Bool

  package init(
    name: String, mac: MACAddress, vni: VNI, local: VTEP, port: UInt16, mtu: Int, alias: OverlayAlias, bridge: String?,
    isSound: Bool = true, isWrongForLife: Bool = false
  ) {
    self.name = name
    self.mac = mac
    self.vni = vni
    self.local = local
    self.port = port
    self.mtu = mtu
    self.alias = alias
    self.bridge = bridge
    self.isSound = isSound
    self.isWrongForLife = isWrongForLife
  }

  /// Whether this can become `wanted` while it lives.
  package func canBecome(_ wanted: TunnelState) -> Bool {
    !isWrongForLife && name == wanted.name && vni == wanted.vni && port == wanted.port
      && local.isV6 == wanted.local.isV6
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
