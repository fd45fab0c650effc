import Logging
import NIOCore
import NIOPosix
import Synchronization
import Trust
import Wire

@testable import Agent

/// A pool of hosts with their TLS credentials.
struct TestHosts {
  var ca: PoolCA
  var trust: PoolTrust
  let identities: [HostIdentity]
  var certificates: [OwnCertificates]

  init(name: String = "east", count: Int = 3) throws {
    let ca = try PoolCA(poolName: name, pool: .random())
    self.ca = ca
    trust = try PoolTrust(rootCertificate: ca.certificate)
    identities = (0..<count).map { _ in HostIdentity() }
    certificates = try identities.map { OwnCertificates(try ca.issue(for: $0.publicKey)) }
  }

  func credentials(_ index: Int) throws -> TLSCredentials {
    try TLSCredentials(member: identities[index], certificates: certificates[index], trust: trust)
  }

  func id(_ index: Int) -> HostID { identities[index].hostID }

  /// Evicts the last host, as the first one does it: new CA, own certificate of it.
  mutating func evictLast() throws {
    ca = try trust.evict(id(identities.count - 1), members: identities.map(\.hostID)).ca
    certificates[0].add(try ca.issue(for: identities[0].publicKey))
  }
}

/// Answers with the request reversed, and remembers what it was asked and who was turned away.
final class ReversingService: PeerService {
  private let asked = Mutex<[PeerPrincipal]>([])
  let refusals: AsyncStream<PeerRefusal>
  private let refusalInput: AsyncStream<PeerRefusal>.Continuation

  init() { (refusals, refusalInput) = AsyncStream.makeStream() }

  var principals: [PeerPrincipal] { asked.withLock { $0 } }

  func respond(to request: [UInt8], from principal: PeerPrincipal) async -> [UInt8] {
    asked.withLock { $0.append(principal) }
    return request.reversed()
  }

  func refused(_ refusal: PeerRefusal) async { refusalInput.yield(refusal) }

  func nextRefusal() async -> String {
    for await refusal in refusals { return refusal.reason }
    return ""
  }
}

/// Runs `body` with a server on a loopback port of its own.
func withServer<Value: Sendable>(
  _ credentials: PeerCredentials, _ service: some PeerService, limits: PeerLimits = PeerLimits(),
  address: IPAddress = .v4(0x7f00_0001), body: @escaping @Sendable (Endpoint) async throws -> Value
) async throws -> Value {
  let (endpoints, input) = AsyncStream.makeStream(of: Endpoint.self)
  let server = PeerServer(
    endpoint: ListeningEndpoint(Endpoint(address: address, port: 0)), credentials: credentials, service: service,
    limits: limits,
    logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }, whenListening: { input.yield($0) })
  return try await withThrowingTaskGroup(of: Value?.self) { group in
    group.addTask {
      try await server.run()
      return nil
    }
    group.addTask {
      for await endpoint in endpoints { return try await body(endpoint) }
      return nil
    }
    while let value = try await group.next() {
      guard let value else { continue }
      group.cancelAll()
      return value
    }
    throw CancellationError()
  }
}

/// Opens a plain TCP connection and runs `body` with what comes in and a way to send.
func withTCP<Value: Sendable>(
  _ endpoint: Endpoint,
  body: (NIOAsyncChannelInboundStream<ByteBuffer>, NIOAsyncChannelOutboundWriter<ByteBuffer>) async throws -> Value
) async throws -> Value {
  let channel = try await ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
    .connect(host: endpoint.address.description, port: Int(endpoint.port)) { channel in
      channel.eventLoop.makeCompletedFuture {
        try NIOAsyncChannel<ByteBuffer, ByteBuffer>(wrappingChannelSynchronously: channel)
      }
    }
  return try await channel.executeThenClose(body)
}

/// What a call failed with; nil if it was answered.
func callFailure(_ body: () async throws -> [UInt8]) async -> PeerClientError? {
  do {
    _ = try await body()
    return nil
  } catch {
    return error as? PeerClientError
  }
}

/// Whether nobody listens at the endpoint any more. A program that another test starts holds what this process listened at
/// until it has begun, so the first calls may still get through.
func isClosed(_ endpoint: Endpoint, to credentials: TLSCredentials) async throws -> Bool {
  for _ in 0..<500 {
    let failure = await callFailure {
      try await PeerClient.call(
        endpoint, credentials: credentials, expecting: .anyMember, request: [1], timeout: .seconds(20))
    }
    if failure == .refusedConnection(endpoint) { return true }
    try await Task.sleep(for: .milliseconds(20))
  }
  return false
}

/// Opens a TLS connection as a member and runs `body` with the bare bytes of both directions.
func withTLS<Value: Sendable>(
  _ endpoint: Endpoint, _ credentials: TLSCredentials,
  body: (NIOAsyncChannelInboundStream<ByteBuffer>, NIOAsyncChannelOutboundWriter<ByteBuffer>) async throws -> Value
) async throws -> Value {
  let channel = try await ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
    .connect(host: endpoint.address.description, port: Int(endpoint.port)) { channel in
      channel.eventLoop.makeCompletedFuture {
        try channel.pipeline.syncOperations.addHandler(
          credentials.makeClientHandler(expecting: .anyMember) { _ in })
        return try NIOAsyncChannel<ByteBuffer, ByteBuffer>(wrappingChannelSynchronously: channel)
      }
    }
  return try await channel.executeThenClose(body)
}
