extension API {
  /// Whether a host takes part, as this host sees it.
  package enum HostState: String, Codable, Sendable, CaseIterable {
    case alive, suspect, agentDown, dead, left, evicted
  }

  /// One host of the pool.
  package struct Host: Codable, Sendable, Equatable {
    /// 32 hexadecimal digits: the hash of the host's identity key.
    package var id: String
    package var name: String
    package var state: HostState
    /// Where the host's tunnels end; nil before the host has said so.
    @Nullable package var address: String?
    /// How often the host has refuted a suspicion.
    package var incarnation: UInt64
    /// Whether it is the host that answers.
    package var isSelf: Bool
    /// The run of the agent, `counter/nonce`; nil before the host was heard.
    @Nullable package var boot: String?
    /// The highest statement of that run below which nothing is missing here.
    package var version: UInt64
    /// The release of its agent.
    @Nullable package var release: String?
    /// The MTU of its underlay, in bytes.
    @Nullable package var mtu: Int?
    /// `espInUDP`, `kernelESP`, `kernelGRE`, `kernelVXLAN`, `userSpace`, sorted.
    package var capabilities: [String]
    /// The number of its keys of the data path; 0 if it has none.
    package private(set) var epoch: UInt64
    /// The same; nil if it has none.
    @Nullable package private(set) var keyEpoch: UInt64?
    /// The keys of the host that answers with this one, or with every other member if this one is the host that answers,
    /// by name; nil in a list, and on a host that has none of its own.
    @Nullable package var keys: [HostKeys]?
    /// The networks in which it has a VIF, by name, sorted.
    package var networks: [String]
    /// What is wrong with it, one sentence each.
    package var problems: [String]

    package init(
      id: String, name: String, state: HostState, address: String?, incarnation: UInt64, isSelf: Bool = false,
      boot: String? = nil, version: UInt64 = 0, release: String? = nil, mtu: Int? = nil, capabilities: [String] = [],
      epoch: UInt64 = 0, keys: [HostKeys]? = nil, networks: [String] = [], problems: [String] = []
    ) {
      self.id = id
      self.name = name
      self.state = state
      self.address = address
      self.incarnation = incarnation
      self.isSelf = isSelf
      self.boot = boot
      self.version = version
      self.release = release
      self.mtu = mtu
      self.capabilities = capabilities
      self.epoch = epoch
      self.keyEpoch = epoch == 0 ? nil : epoch
      self.keys = keys
      self.networks = networks
      self.problems = problems
    }
  }
}
