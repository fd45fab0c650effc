import Control

/// An agent of three hosts and one network that answers from memory and remembers what it was asked.
actor ExampleAgent: AgentService {
  /// What was asked, in order, as the call with its values.
  private(set) var calls: [String] = []
  /// Thrown by every call that may throw.
  private var fault: (any Error)?
  private var followers: [AsyncStream<API.Event>.Continuation] = []
  private(set) var followersGone = 0
  private let gone = AsyncStream<Void>.makeStream()
  private var report = Example.report
  /// The host that takes no order to draw new keys.
  private var unreachable: API.Problem?
  /// While set, `doctor` waits for `release()`.
  private var holds = false
  private let held = AsyncStream<Void>.makeStream()
  private let released = AsyncStream<Void>.makeStream()

  func set(fault: (any Error)?) { self.fault = fault }

  func health() async -> API.Health { API.Health(release: "0.1.0", pid: 42) }

  func initPool(_ request: API.InitPool) async throws -> API.PoolStatus {
    try note("initPool \(request.name ?? "nil")")
    return Example.status
  }

  func invite(_ request: API.Invite) async throws -> API.Invitation {
    try note("invite \(request.ttl.map(String.init) ?? "nil") \(request.uses.map(String.init) ?? "nil")")
    return API.Invitation(token: "weft1-abcdef", ttl: request.ttl ?? 3600, uses: request.uses ?? 1)
  }

  func joinPool(_ request: API.JoinPool) async throws -> API.PoolStatus {
    try note("joinPool \(request.address) \(request.token)")
    return Example.status
  }

  func leavePool() async throws { try note("leavePool") }

  func poolStatus() async throws -> API.PoolStatus {
    try note("poolStatus")
    return Example.status
  }

  func rekey(_ request: API.Rekey) async throws -> API.RekeyResult {
    try note("rekey \(request.hostOnly.map(String.init) ?? "nil")")
    var result = API.RekeyResult(host: "host1", epoch: 3)
    if request.hostOnly != true { result.asked = ["host2", "host3"] }
    if let unreachable {
      result.asked.removeAll { $0 == unreachable.host }
      result.notReached = [unreachable]
    }
    return result
  }

  func hosts() async throws -> [API.Host] {
    try note("hosts")
    return [Example.host, Example.silentHost]
  }

  func host(_ reference: String) async throws -> API.Host {
    try note("host \(reference)")
    return Example.host
  }

  func evictHost(_ reference: String) async throws -> API.Host {
    try note("evictHost \(reference)")
    var host = Example.silentHost
    host.state = .evicted
    return host
  }

  func createNetwork(_ request: API.CreateNetwork) async throws -> API.NetworkResult {
    let values = [
      request.encap?.rawValue, request.encryption?.rawValue, request.mtu.map(String.init),
      request.vni.map(String.init), request.bridge,
    ]
    try note("createNetwork \(request.name) \(values.map { $0 ?? "nil" }.joined(separator: " "))")
    var network = Example.network
    network.name = request.name
    if request.name == "partly" {
      network.state = .degraded
      network.hosts = ["host1", "host2"]
      network.problems = [API.Problem(host: "host3", message: "Its bridge weft-partly belongs to another program.")]
    }
    return API.NetworkResult(network: network, milliseconds: 38)
  }

  func networks() async throws -> [API.Network] {
    try note("networks")
    return [Example.network]
  }

  func network(_ reference: String) async throws -> API.Network {
    try note("network \(reference)")
    return reference == "red" ? Example.encrypted : Example.network
  }

  func setNetwork(_ reference: String, _ request: API.SetNetwork) async throws -> API.NetworkResult {
    try note("setNetwork \(reference) \(request.name ?? "nil") \(request.mtu.map(String.init) ?? "nil")")
    return API.NetworkResult(network: Example.network, milliseconds: 12)
  }

  func deleteNetwork(_ reference: String) async throws { try note("deleteNetwork \(reference)") }

  func bindings(network: String?) async throws -> [API.Binding] {
    try note("bindings \(network ?? "nil")")
    return network == "empty" ? [] : [Example.binding, Example.duplicate]
  }

  func events(after id: UInt64?) async throws -> [API.Event] {
    try note("events \(id.map { String($0) } ?? "nil")")
    return [Example.event]
  }

  func doctor() async throws -> API.DoctorReport {
    try note("doctor")
    if holds {
      held.continuation.finish()
      for await _ in released.stream {}
    }
    return report
  }

  private func note(_ call: String) throws {
    calls.append(call)
    if let fault { throw fault }
  }
}

extension ExampleAgent {
  func followEvents(after id: UInt64?) async throws -> AsyncStream<API.Event> {
    let (stream, continuation) = AsyncStream<API.Event>.makeStream(bufferingPolicy: .bufferingNewest(16))
    continuation.onTermination = { _ in
      Task { await self.followerWent() }
    }
    continuation.yield(Example.event)
    followers.append(continuation)
    return stream
  }

  func failDoctor() {
    report = API.DoctorReport(
      host: "host1", checks: [API.Check(name: "VXLAN in the kernel", status: .failure, message: "Load vxlan.")])
  }

  func set(unreachable: API.Problem) { self.unreachable = unreachable }

  func emit(_ event: API.Event) { for follower in followers { follower.yield(event) } }

  func endFollowing() { for follower in followers { follower.finish() } }

  /// Returns when some follower has gone.
  func waitForFollowerGone() async { for await _ in gone.stream {} }

  private func followerWent() {
    followersGone += 1
    gone.continuation.finish()
  }

  /// From now on `doctor` does not answer until `release()`.
  func hold() { holds = true }

  /// Returns when somebody waits for `doctor`.
  func waitForHeld() async { for await _ in held.stream {} }

  func release() { released.continuation.finish() }
}
