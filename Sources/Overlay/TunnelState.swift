import Registry
import Wire

/// A tunnel device, as it is wanted or as it was found.
package struct TunnelState: Hashable, Sendable {
  package enum Kind: Hashable, Sendable {
    /// To all hosts, by UDP to this port.
    case vxlan(port: UInt16)
    /// To one host, which has this address.
    case gre(remote: VTEP)
    /// To all hosts, by this agent, which carries the frames of a TAP in this form.
    case tap(Encapsulation)
  }

  package var name: String
  package var kind: Kind
  package var mac: MACAddress
  /// Also the key of GRE.
  package var vni: VNI
  package var local: VTEP
  package var mtu: Int
  package var alias: OverlayAlias
  /// The bridge that it is in.
  package var bridge: String?
  /// GRE: broadcast, unknown and multicast frames go into it. For the others see `NetworkState.flood`.
  package var floods: Bool
  /// As in `BridgeState`; and of a TAP, this agent carries its frames.
  package var isSound: Bool
  /// It has a setting that can only be given at creation and is not as it should be.
  package var isWrongForLife: Bool

  package init(
    name: String, kind: Kind, mac: MACAddress, vni: VNI, local: VTEP, mtu: Int, alias: OverlayAlias, bridge: String?,
    floods: Bool = false, isSound: Bool = true, isWrongForLife: Bool = false
  ) {
    self.name = name
    self.kind = kind
    self.mac = mac
    self.vni = vni
    self.local = local
    self.mtu = mtu
    self.alias = alias
    self.bridge = bridge
    self.floods = floods
    self.isSound = isSound
    self.isWrongForLife = isWrongForLife
  }

  /// Where it ends; nil for one to all hosts, of which a network has one.
  package var remote: VTEP? { if case .gre(let remote) = kind { remote } else { nil } }

  package var isTAP: Bool { if case .tap = kind { true } else { false } }

  /// Whether this can become `wanted` while it lives.
  package func canBecome(_ wanted: TunnelState) -> Bool {
    guard !isWrongForLife, name == wanted.name, vni == wanted.vni else { return false }
    switch (kind, wanted.kind) {
    case (.vxlan(let port), .vxlan(let other)): return port == other && local.isV6 == wanted.local.isV6
    case (.gre, .gre): return local.isV6 == wanted.local.isV6
    case (.tap, .tap): return true
    default: return false
    }
  }

  /// Whether nothing but the flooding may have to be changed.
  func isDevice(_ wanted: TunnelState) -> Bool {
    var same = wanted
    same.floods = floods
    return self == same
  }

  /// What the kernel lets only one device have at a time.
  enum Place: Hashable {
    case vxlan(VNI, port: UInt16, isV6: Bool)
    case gre(VNI, local: VTEP, remote: VTEP)
    case tap(VNI)
  }

  var place: Place {
    switch kind {
    case .vxlan(let port): .vxlan(vni, port: port, isV6: local.isV6)
    case .gre(let remote): .gre(vni, local: local, remote: remote)
    case .tap: .tap(vni)
    }
  }
}
