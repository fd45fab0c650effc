extension API {
  /// How many hosts are in each state.
  package struct HostCounts: Codable, Sendable, Equatable {
    package var alive: Int
    package var suspect: Int
    package var agentDown: Int
    package var dead: Int

    package init(alive: Int = 0, suspect: Int = 0, agentDown: Int = 0, dead: Int = 0) {
      self.alive = alive
      self.suspect = suspect
      self.agentDown = agentDown
      self.dead = dead
    }
  }

  /// The keys of the data path of one host.
  package struct KeyEpoch: Codable, Sendable, Equatable {
    /// The host's name.
    package var host: String
    package var epoch: UInt64

    package init(host: String, epoch: UInt64) {
      self.host = host
      self.epoch = epoch
    }
  }

  /// The pool as this host sees it. A host without a pool answers with `joined` false and no pool.
  package struct PoolStatus: Codable, Sendable, Equatable {
    package var joined: Bool
    /// The pool's name.
    @Nullable package var pool: String?
    @Nullable package var poolId: String?
    /// The name of the host that answers.
    package var host: String
    @Nullable package var hostId: String?
    @Nullable package var address: String?
    package var release: String
    package var hosts: HostCounts
    package var networks: Int
    package var bindings: Int
    /// By host name; empty where no network is encrypted.
    package var epochs: [KeyEpoch]
    /// How the keys of the host that answers stand; nil if it has none.
    @Nullable package var keys: KeyCounts?
    /// What is wrong, one sentence each.
    package var problems: [String]

    package init(
      joined: Bool, pool: String? = nil, poolId: String? = nil, host: String, hostId: String? = nil,
      address: String? = nil, release: String, hosts: HostCounts = HostCounts(), networks: Int = 0, bindings: Int = 0,
      epochs: [KeyEpoch] = [], keys: KeyCounts? = nil, problems: [String] = []
    ) {
      self.joined = joined
      self.pool = pool
      self.poolId = poolId
      self.host = host
      self.hostId = hostId
      self.address = address
      self.release = release
      self.hosts = hosts
      self.networks = networks
      self.bindings = bindings
      self.epochs = epochs
      self.keys = keys
      self.problems = problems
    }
  }
}
