extension API {
  /// Something that happened on this host or that it heard of.
  package struct Event: Codable, Sendable, Equatable {
    /// Grows by one with each event of this run of the agent; `events(after:)` takes it.
    package var id: UInt64
    /// RFC 3339, UTC, with milliseconds; by this host's clock, for reading only.
    package var time: String
    /// What happened, one word in lowerCamelCase (`hostAlive`, `macMoved`, `networkCreated`).
    package var kind: String
    /// One sentence.
    package var message: String
    /// The name of the host, network and MAC that it is about, where there is one.
    @Nullable package var host: String?
    @Nullable package var network: String?
    @Nullable package var mac: String?

    /// - Parameters:
    ///   - seconds: since 1970-01-01 UTC.
    ///   - nanoseconds: of that second.
    package init(
      id: UInt64, seconds: Int64, nanoseconds: Int64 = 0, kind: String, message: String, host: String? = nil,
      network: String? = nil, mac: String? = nil
    ) {
      self.id = id
      self.time = Timestamp.text(seconds: seconds, nanoseconds: nanoseconds)
      self.kind = kind
      self.message = message
      self.host = host
      self.network = network
      self.mac = mac
    }
  }
}
