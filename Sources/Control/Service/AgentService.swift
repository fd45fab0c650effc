/// What an agent can be asked to do; the routes and nothing else call it.
///
/// Throw `APIError` where the code matters to a program. Any other error is answered with the code `internal` and its
/// description, so a description is a sentence that says what to do.
package protocol AgentService: Sendable {
  /// Must answer at once, whatever else goes on.
  func health() async -> API.Health

  func initPool(_ request: API.InitPool) async throws -> API.PoolStatus
  func invite(_ request: API.Invite) async throws -> API.Invitation
  func joinPool(_ request: API.JoinPool) async throws -> API.PoolStatus
  func leavePool() async throws
  func poolStatus() async throws -> API.PoolStatus
  /// Draws new keys on this host and, unless told otherwise, has every live host of the pool do so. Returns when each has
  /// taken the order or could not be reached, not when the keys stand.
  func rekey(_ request: API.Rekey) async throws -> API.RekeyResult

  /// Ordered by name, then ID.
  func hosts() async throws -> [API.Host]
  /// - Parameter reference: a name or an ID.
  func host(_ reference: String) async throws -> API.Host
  func evictHost(_ reference: String) async throws -> API.Host

  /// Returns when the network stands on every live host, or after the agent's own limit (less than 60 s) with the hosts
  /// on which it does not in `network.problems`.
  func createNetwork(_ request: API.CreateNetwork) async throws -> API.NetworkResult
  /// Ordered by name, then ID.
  func networks() async throws -> [API.Network]
  /// - Parameter reference: a name or a UUID.
  func network(_ reference: String) async throws -> API.Network
  /// Like `createNetwork`.
  func setNetwork(_ reference: String, _ request: API.SetNetwork) async throws -> API.NetworkResult
  func deleteNetwork(_ reference: String) async throws

  /// Ordered by network name, then MAC.
  /// - Parameter network: a name or a UUID; nil for all networks.
  func bindings(network: String?) async throws -> [API.Binding]

  /// What the agent still remembers, oldest first.
  /// - Parameter id: only those with a greater one; nil for all.
  func events(after id: UInt64?) async throws -> [API.Event]
  /// The same, and then each event as it comes, until the reader goes away (the stream's consumer is cancelled) or the
  /// agent stops. Its buffer must be bounded; a reader that is too slow may lose events, never block the agent.
  func followEvents(after id: UInt64?) async throws -> AsyncStream<API.Event>

  func doctor() async throws -> API.DoctorReport
}
