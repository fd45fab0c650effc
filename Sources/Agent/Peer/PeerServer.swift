import Glibc
import Logging
import NIOCore
import NIOPosix
import Security
import ServiceLifecycle
import Wire

/// Serves join and sync: TCP with mutual TLS 1.3, length-prefixed requests, one at a time on each connection.
///
/// Every caller that has a certificate may complete the handshake; one that is turned away is told why in words.
package final class PeerServer: Service {
  private typealias Connection = NIOAsyncChannel<ServerRequest, ByteBuffer>

  private let endpoint: Endpoint
  private let credentials: PeerCredentials
  private let service: any PeerService
  private let limits: PeerLimits
  private let logger: Logger
  private let whenListening: @Sendable (Endpoint) -> Void
  private let table: ConnectionTable

  /// - Parameters:
  ///   - endpoint: an address of this host; port 0 takes any free one.
  ///   - whenListening: called once with the endpoint in use.
  package init(
    endpoint: Endpoint, credentials: PeerCredentials, service: any PeerService, limits: PeerLimits = PeerLimits(),
    logger: Logger, whenListening: @escaping @Sendable (Endpoint) -> Void = { _ in }
  ) {
    self.endpoint = endpoint
    self.credentials = credentials
    self.service = service
    self.limits = limits
    self.logger = logger
    self.whenListening = whenListening
    table = ConnectionTable(limits: limits)
  }

  /// Listens until a graceful shutdown or cancellation; then all connections are closed.
  ///
  /// - Throws: `PeerServerError` if it cannot listen.
  package func run() async throws {
    let (refusals, report) = AsyncStream.makeStream(of: PeerRefusal.self, bufferingPolicy: .bufferingNewest(64))
    let listener = try await listen { report.yield($0) }
    if let bound = listener.channel.localAddress?.endpoint { whenListening(bound) }
    do {
      try await cancelWhenGracefulShutdown {
        try await withThrowingTaskGroup(of: Void.self) { group in
          group.addTask { await self.pass(on: refusals) }
          try await self.accept(from: listener) { report.yield($0) }
          group.cancelAll()
        }
      }
    } catch is CancellationError {
      // Cancelled is how a server ends.
    }
  }

  private func listen(
    report: @escaping @Sendable (PeerRefusal) -> Void
  ) async throws -> NIOAsyncChannel<Connection, Never> {
    do {
      return try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
        .serverChannelOption(.backlog, value: 256)
        .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
        .childChannelOption(.tcpOption(.tcp_nodelay), value: 1)
        .bind(to: SocketAddress(endpoint)) { [credentials, limits] channel in
          channel.eventLoop.makeCompletedFuture {
            let chain = ReceivedChain()
            try channel.pipeline.syncOperations.addHandlers(
              credentials.current.makeServerHandler { chain.set($0) },
              ServerConnectionHandler(credentials: credentials, chain: chain, limits: limits, report: report))
            return try Connection(
              wrappingChannelSynchronously: channel,
              configuration: .init(backPressureStrategy: .init(lowWatermark: 1, highWatermark: 1)))
          }
        }
    } catch let error as IOError {
      switch error.errnoCode {
      case EADDRINUSE: throw PeerServerError.portTaken(endpoint)
      case EADDRNOTAVAIL: throw PeerServerError.addressNotHere(endpoint.address)
      case EACCES, EPERM: throw PeerServerError.notPermitted(endpoint)
      default: throw PeerServerError.other(endpoint, "\(error)")
      }
    }
  }

  private func accept(
    from listener: NIOAsyncChannel<Connection, Never>, report: @escaping @Sendable (PeerRefusal) -> Void
  ) async throws {
    try await listener.executeThenClose { connections in
      try await withThrowingDiscardingTaskGroup { group in
        for try await connection in connections {
          group.addTask { await self.serve(connection, report: report) }
        }
        group.cancelAll()
      }
    }
  }

  private func serve(_ connection: Connection, report: @Sendable (PeerRefusal) -> Void) async {
    let address = connection.channel.remoteAddress?.wireAddress
    let full = address.map(table.enter) ?? "its address is not known."
    defer { if full == nil, let address { table.leave(address) } }
    do {
      try await connection.executeThenClose { requests, answers in
        if let full {
          report(PeerRefusal(address: address, reason: full))
          connection.channel.close(mode: .all, promise: nil)
          return
        }
        for try await request in requests {
          let answer = await service.respond(to: request.bytes, from: request.principal)
          try await answers.write(frame(answer))
        }
      }
    } catch {
      // The connection broke or the server stops. Whoever called finds out by itself, and asks again.
      logger.debug("connection ended", metadata: ["error": "\(error)"])
    }
  }

  private func frame(_ answer: [UInt8]) -> ByteBuffer {
    guard answer.count < PeerLimits.maximumMessage else {
      return PeerFrame.refusal("The answer has \(answer.count) bytes, more than one message can carry.")
    }
    return PeerFrame.answer(answer)
  }

  /// Logs at most one refusal a second, so that a flood of them fills no disk.
  private func pass(on refusals: AsyncStream<PeerRefusal>) async {
    var last: ContinuousClock.Instant?
    var left = 0
    for await refusal in refusals {
      let now = ContinuousClock.now
      if let last, now - last < .seconds(1) {
        left += 1
      } else {
        logger.notice("\(refusal)", metadata: left > 0 ? ["notLogged": "\(left)"] : [:])
        last = now
        left = 0
      }
      await service.refused(refusal)
    }
  }
}
