extension API {
  /// A token with which hosts join the pool.
  package struct Invitation: Codable, Sendable, Equatable {
    package var token: String
    /// Lifetime in seconds, from now, by the clock of the host that made it.
    package var ttl: Int
    package var uses: Int

    package init(token: String, ttl: Int, uses: Int) {
      self.token = token
      self.ttl = ttl
      self.uses = uses
    }
  }

  /// A network that was made or changed, once it stands or the time for that is over.
  package struct NetworkResult: Codable, Sendable, Equatable {
    package var network: Network
    /// From the request to the moment when the last live host said that it stands, in milliseconds.
    package private(set) var milliseconds: Int
    /// The same in seconds.
    @Nullable package private(set) var tookSeconds: Double?

    package init(network: Network, milliseconds: Int) {
      self.network = network
      self.milliseconds = milliseconds
      tookSeconds = Double(milliseconds) / 1000
    }
  }

  /// Whether the agent runs: answered without asking anything else.
  package struct Health: Codable, Sendable, Equatable {
    package var release: String
    package var pid: Int

    package init(release: String, pid: Int) {
      self.release = release
      self.pid = pid
    }
  }

  /// What is answered where there is nothing else to say.
  package struct Done: Codable, Sendable, Equatable {
    package var done: Bool

    package init() { done = true }
  }
}
