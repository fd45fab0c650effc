extension API {
  /// How frames travel between hosts.
  package enum Encapsulation: String, Choice, Sendable {
    case vxlan, gre
  }

  /// Whether a network's frames may leave a host in clear.
  package enum Encryption: String, Choice, Sendable {
    case required, off
  }

  package enum NetworkState: String, Codable, Sendable, CaseIterable {
    /// It stands on every live host.
    case ok
    /// It does not stand on some live host; `problems` says where and why.
    case degraded
    /// An earlier network has its VNI or bridge: it carries no traffic.
    case conflict
  }

  /// A host on which a network does not stand, and why.
  package struct Problem: Codable, Sendable, Equatable {
    /// The host's name.
    package var host: String
    /// One sentence.
    package var message: String

    package init(host: String, message: String) {
      self.host = host
      self.message = message
    }
  }

  /// One private network.
  package struct Network: Codable, Sendable, Equatable {
    /// Its UUID.
    package var id: String
    package var name: String
    package var vni: UInt32
    package var bridge: String
    package var encap: Encapsulation
    package var encryption: Encryption
    /// The largest IP packet of a guest, in bytes.
    package private(set) var mtu: Int
    /// What the costliest form of its frames takes of the underlay's MTU beside `mtu`, in bytes: with encryption up to 3
    /// more for some `mtu` than for others, since ESP pads.
    @Nullable package private(set) var overhead: Int?
    /// The smallest MTU of an underlay that carries it, in bytes: `mtu` and `overhead`.
    @Nullable package private(set) var underlayNeeded: Int?
    /// How the host that answers carries its frames (`kernel VXLAN in ESP`); nil while it does not.
    @Nullable package var mechanism: String?
    /// Where that host sends them; nil in a list, and while it does not carry them.
    @Nullable package var forwarding: Forwarding?
    package var state: NetworkState
    /// The live hosts on which it stands, by name, sorted.
    package var hosts: [String]
    /// The live hosts on which it does not stand, by name, sorted.
    package var problems: [Problem]
    /// How many MACs live in it.
    package var bindings: Int
    /// The UUID of the network that has its VNI or bridge; nil unless `state` is `conflict`.
    @Nullable package var conflictsWith: String?

    package init(
      id: String, name: String, vni: UInt32, bridge: String, encap: Encapsulation, encryption: Encryption, mtu: Int,
      underlayNeeded: Int? = nil, mechanism: String? = nil, forwarding: Forwarding? = nil, state: NetworkState,
      hosts: [String] = [], problems: [Problem] = [], bindings: Int = 0, conflictsWith: String? = nil
    ) {
      self.id = id
      self.name = name
      self.vni = vni
      self.bridge = bridge
      self.encap = encap
      self.encryption = encryption
      self.mtu = mtu
      overhead = underlayNeeded.map { $0 - mtu }
      self.underlayNeeded = underlayNeeded
      self.mechanism = mechanism
      self.forwarding = forwarding
      self.state = state
      self.hosts = hosts
      self.problems = problems
      self.bindings = bindings
      self.conflictsWith = conflictsWith
    }
  }
}
