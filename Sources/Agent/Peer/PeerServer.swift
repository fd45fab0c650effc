import Glibc
import Logging
import NIOCore
import NIOPosix
import ServiceLifecycle
import Trust
import Wire

/// Serves join and sync: TCP with mutual TLS 1.3, length-prefixed requests, one at a time on each connection. When its
/// endpoint becomes another one it listens there; connections to the old one go on as long as they can.
///
/// Every caller that has a certificate may complete the handshake; one that is turned away is told why in words.
package final class PeerServer: Service {
  private let endpoint: ListeningEndpoint
  private let credentials: PeerCredentials
  private let service: any PeerService
  private let limits: PeerLimits
  private let logger: Logger
  private let whenListening: @Sendable (Endpoint) -> Void
  private let table: ConnectionTable

  private static let retryInterval: Duration = .seconds(1)

  /// - Parameters:
  ///   - endpoint: an address of this host; port 0 takes any free one.
  ///   - whenListening: called with the endpoint in use, each time it is another one.
  package init(
    endpoint: ListeningEndpoint, credentials: PeerCredentials, service: any PeerService,
    limits: PeerLimits = PeerLimits(), logger: Logger,
    whenListening: @escaping @Sendable (Endpoint) -> Void = { _ in }
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
  /// - Throws: `PeerServerError` if it cannot listen at first. Later it tries again and again.
  package func run() async throws {
    let (refusals, refusalInput) = AsyncStream.makeStream(of: PeerRefusal.self, bufferingPolicy: .bufferingNewest(64))
    // One call at a time on each connection, and connections are counted: so are the calls.
    let (calls, callInput) = AsyncStream.makeStream(of: ServerCall.self)
    let listener = Listener { callInput.finish() }
    @Sendable func listen(at endpoint: Endpoint) async throws {
      let channel = try await bind(
        endpoint, deliver: { callInput.yield($0) }, report: { refusalInput.yield($0) })
      await listener.replace(with: channel, at: endpoint)
      if let bound = channel.localAddress?.endpoint { whenListening(bound) }
    }
    let first = endpoint.current
    try await listen(at: first)
    await cancelWhenGracefulShutdown {
      await withDiscardingTaskGroup { group in
        group.addTask { await self.pass(on: refusals) }
        group.addTask { await self.follow(listener, listen: listen) }
        for await call in calls { group.addTask { await self.answer(call) } }
        group.cancelAll()
      }
    }
    let hasFailed = listener.hasFailed
    await listener.close()
    await table.closeAll()
    if hasFailed { throw PeerServerError.other(endpoint.current, "the listening socket was closed") }
  }

  /// Listens where the engine wants it. An endpoint that cannot be had is tried until it can, or another one is wanted.
  private func follow(_ listener: Listener, listen: @Sendable (Endpoint) async throws -> Void) async {
    for await _ in endpoint.changes {
      while !Task.isCancelled {
        let wanted = endpoint.current
        if listener.endpoint == wanted {
          _ = endpoint.listened(failure: nil)
          break
        }
        do {
          try await listen(wanted)
          logger.notice("listening on TCP \(wanted)")
        } catch {
          if endpoint.listened(failure: "\(error)") { logger.error("\(error)") }
          try? await Task.sleep(for: Self.retryInterval)
        }
      }
    }
  }

  private func answer(_ call: ServerCall) async {
    let answer = await service.respond(to: call.request, from: call.principal)
    call.channel.writeAndFlush(frame(answer), promise: nil)
  }

  private func bind(
    _ endpoint: Endpoint, deliver: @escaping @Sendable (ServerCall) -> Void,
    report: @escaping @Sendable (PeerRefusal) -> Void
  ) async throws -> any Channel {
    let bootstrap = ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
      .serverChannelOption(.backlog, value: 256)
      .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
      .childChannelOption(.tcpOption(.tcp_nodelay), value: 1)
      .childChannelInitializer { [credentials, limits, table] channel in
        channel.eventLoop.makeCompletedFuture {
          // No address: the caller is gone again.
          guard let address = channel.remoteAddress?.wireAddress else { throw ChannelError.eof }
          if let reason = table.enter(channel, from: address) {
            report(PeerRefusal(address: address, reason: reason))
            throw ChannelError.eof
          }
          let chain = ReceivedChain()
          try channel.pipeline.syncOperations.addHandlers(
            credentials.current.makeServerHandler { chain.set($0) },
            ServerConnectionHandler(
              address: address, credentials: credentials, chain: chain, limits: limits, deliver: deliver,
              report: report))
        }
      }
    do {
      return try await bootstrap.bind(to: SocketAddress(endpoint)).get()
    } catch let error as IOError {
      switch error.errnoCode {
      case EADDRINUSE: throw PeerServerError.portTaken(endpoint)
      case EADDRNOTAVAIL: throw PeerServerError.addressNotHere(endpoint.address)
      case EACCES, EPERM: throw PeerServerError.notPermitted(endpoint)
      default: throw PeerServerError.other(endpoint, "\(error)")
      }
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
