import Wire

/// How a network's frames travel between hosts.
package enum Encapsulation: UInt8, Sendable, CaseIterable, CustomStringConvertible {
  case vxlan = 1
  case gre = 2

  package var description: String {
    switch self {
    case .vxlan: "vxlan"
    case .gre: "gre"
    }
  }
}

/// Whether a network's frames may leave a host in clear.
package enum Encryption: UInt8, Sendable, CaseIterable, CustomStringConvertible {
  case off = 0
  case required = 1

  package var description: String {
    switch self {
    case .off: "off"
    case .required: "required"
    }
  }
}

/// The wish for a network, as `network create` gives it.
package struct NetworkSpec: Hashable, Sendable {
  package var id: NetworkID
  package var name: NetworkName
  /// nil: drawn from the UUID.
  package var vni: VNI?
  /// nil: `BridgeName(network:vni:)`.
  package var bridge: BridgeName?
  package var encapsulation: Encapsulation
  package var encryption: Encryption
  package var mtu: NetworkMTU

  package init(
    id: NetworkID, name: NetworkName, vni: VNI? = nil, bridge: BridgeName? = nil, encapsulation: Encapsulation = .vxlan,
    encryption: Encryption = .required, mtu: NetworkMTU
  ) {
    self.id = id
    self.name = name
    self.vni = vni
    self.bridge = bridge
    self.encapsulation = encapsulation
    self.encryption = encryption
    self.mtu = mtu
  }
}

extension VNI {
  /// The VNI of a network that was given none: 24 bits of a hash of its UUID, never 0.
  package static func derived(from network: NetworkID) -> VNI {
    var generator = SeededGenerator(seed: RecordDigest.of(network.bytes).value)
    while true {
      if let vni = VNI(UInt32(truncatingIfNeeded: generator.next() >> 40)) { return vni }
    }
  }
}
