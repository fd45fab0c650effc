import Control
import Registry
import Wire

#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#endif

// The API of this host.
extension Engine: AgentService {
  package nonisolated func health() async -> API.Health { API.Health(release: Agent.release, pid: Int(getpid())) }

  package func poolStatus() -> API.PoolStatus {
    node?.status()
      ?? API.PoolStatus(joined: false, host: name.text, address: endpoint.address.description, release: Agent.release)
  }

  package func hosts() async throws -> [API.Host] {
    let node = try member()
    return node.registry.hosts.map { node.view(of: $0) }.sorted { ($0.name, $0.id) < ($1.name, $1.id) }
  }

  package func host(_ reference: String) async throws -> API.Host {
    let node = try member()
    let host = try node.findHost(reference)
    var view = node.view(of: host)
    view.keys = node.keyViews(of: host)
    return view
  }

  package func createNetwork(_ request: API.CreateNetwork) async throws -> API.NetworkResult {
    let node = try member()
    let start = Reactor.now()
    let id = try translated { try node.createNetwork(request) }
    try await files.flush()
    return try await settle(id, since: start)
  }

  package func setNetwork(_ reference: String, _ request: API.SetNetwork) async throws -> API.NetworkResult {
    let node = try member()
    let start = Reactor.now()
    let id = try translated { try node.setNetwork(reference, request) }
    try await files.flush()
    return try await settle(id, since: start)
  }

  package func deleteNetwork(_ reference: String) async throws {
    let node = try member()
    try translated { try node.deleteNetwork(reference) }
    try await files.flush()
  }

  package func networks() async throws -> [API.Network] {
    let node = try member()
    return node.registry.networks.map { node.view(of: $0) }.sorted { ($0.name, $0.id) < ($1.name, $1.id) }
  }

  package func network(_ reference: String) async throws -> API.Network {
    let node = try member()
    let network = try translated { try node.registry.findNetwork(reference) }
    var view = node.view(of: network)
    view.forwarding = node.forwarding(of: network)
    return view
  }

  package func bindings(network: String?) async throws -> [API.Binding] {
    let node = try member()
    let found =
      if let network {
        node.registry.bindings(of: try translated { try node.registry.findNetwork(network) }.id)
      } else {
        node.registry.bindings
      }
    return found.map { node.view(of: $0) }.sorted {
      ($0.network, $0.networkId, $0.mac) < ($1.network, $1.networkId, $1.mac)
    }
  }

  package func events(after id: UInt64?) async throws -> [API.Event] { pastEvents(after: id) }

  package func followEvents(after id: UInt64?) async throws -> AsyncStream<API.Event> { follow(after: id) }

  // MARK: Small

  private static let settleTimeout: Duration = .seconds(30)

  /// Waits until the network stands on every live host, or its time is over.
  private func settle(_ id: NetworkID, since start: Instant) async throws -> API.NetworkResult {
    let node = try member()
    await wait(node, until: start + Self.settleTimeout) { [weak node] in node?.isSettled(id) ?? true }
    guard let network = node.registry.network(id) else {
      throw APIError(.notFound, "The network was deleted by another host in the meantime.")
    }
    var view = node.view(of: network)
    let told = Set(view.hosts).union(view.problems.map(\.host))
    for member in node.membership.members where member.state == .alive || member.state == .suspect {
      let name = node.name(of: member.host)
      guard !told.contains(name) else { continue }
      view.problems.append(
        API.Problem(host: name, message: "It has not said within 30 s how the network stands there."))
    }
    let milliseconds = (Reactor.now() - start) / .milliseconds(1)
    return API.NetworkResult(network: view, milliseconds: Int(milliseconds))
  }

  /// Waits for a state of the node that its turns bring about.
  func wait(_ node: Node, until deadline: Instant, _ isDone: @escaping () -> Bool) async {
    for await _ in node.wait(until: deadline, isDone) {}
  }

  /// Errors of the registry with the code that a program can act on.
  private func translated<Value>(_ body: () throws -> Value) throws -> Value {
    do {
      return try body()
    } catch let error as RegistryError {
      throw APIError(error.code, "\(error)")
    }
  }
}

extension RegistryError {
  var code: APIError.Code {
    switch self {
    case .noSuchNetwork: .notFound
    case .nameTaken, .vniTaken, .bridgeTaken, .ambiguousNetwork, .hostIsGone: .conflict
    case .invalidNetworkName, .invalidHostName, .invalidBridge, .invalidMTU, .invalidVNI: .invalid
    default: .internal
    }
  }
}
