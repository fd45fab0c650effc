import Hummingbird
import Logging
import NIOConcurrencyHelpers
import NIOCore
import ServiceLifecycle

/// Serves the API on a unix socket until the agent stops: one of the services of `weftd`.
///
/// The socket has mode 0660 and the owner of the process. A client that keeps quiet in the middle of a
/// request, or between two, is cut off after 10 s; at a graceful shutdown the requests under way have 5 s to end, then
/// the socket is removed.
package struct ControlServer: Service {
  private let socket: SocketPath
  private let service: any AgentService
  private let logger: Logger
  private let grace: Duration
  private let patience: Duration
  private let onListening: @Sendable () -> Void

  /// - Parameters:
  ///   - path: where to listen; at most 103 bytes, absolute.
  ///   - grace: what a request under way is given at a graceful shutdown.
  ///   - patience: how long a client may keep quiet in the middle of a request or between two.
  ///   - onListening: called once, when clients can connect.
  /// - Throws: `SocketPathError` for a path that cannot be one.
  package init(
    path: String, service: any AgentService, logger: Logger, grace: Duration = .seconds(5),
    patience: Duration = .seconds(10),
    onListening: @escaping @Sendable () -> Void = {}
  ) throws(SocketPathError) {
    socket = try SocketPath(path)
    self.service = service
    self.logger = logger
    self.grace = grace
    self.patience = patience
    self.onListening = onListening
  }

  /// Serves until a graceful shutdown or cancellation.
  /// - Throws: `SocketPathError` if it cannot listen.
  package func run() async throws {
    try socket.prepare()
    let outcome = NIOLockedValueBox<Result<SocketPath.Identity, SocketPathError>?>(nil)
    let application = makeApplication { channel in
      do throws(SocketPathError) {
        let identity = try socket.publish()
        outcome.withLockedValue { $0 = .success(identity) }
        logger.info("serving the API", metadata: ["socket": "\(socket.path)"])
        onListening()
      } catch {
        outcome.withLockedValue { $0 = .failure(error) }
        channel.close(promise: nil)
      }
    }
    defer {
      if case .success(let identity) = outcome.withLockedValue({ $0 }) { socket.remove(identity) }
    }
    let ended: Result<Void, any Error>
    do { ended = .success(try await serve(application)) } catch { ended = .failure(error) }
    if case .failure(let error) = outcome.withLockedValue({ $0 }) { throw error }
    do { try ended.get() } catch let error as IOError {
      throw SocketPathError.unusable(socket.path, reason: "\(error)")
    } catch is CancellationError {}
  }

  private func serve(_ application: some ApplicationProtocol) async throws {
    try await withThrowingTaskGroup(of: Void.self) { group in
      group.addTask { try await application.run() }
      group.addTask {
        do {
          try await gracefulShutdown()
          try await Task.sleep(for: grace)
        } catch is CancellationError {}
      }
      defer { group.cancelAll() }
      try await group.next()
    }
  }

  private func makeApplication(
    onServerRunning: @escaping @Sendable (any Channel) async -> Void
  ) -> some ApplicationProtocol {
    var quiet = logger
    quiet.logLevel = max(logger.logLevel, .warning)
    return Application(
      router: Routes(service: service).router(),
      server: .http1(configuration: .init(idleTimeout: TimeAmount(patience))),
      configuration: ApplicationConfiguration(
        address: .unixDomainSocket(path: socket.passing),
        availableConnectionsDelegate: .maximum(128, logger: quiet)),
      onServerRunning: onServerRunning, logger: quiet)
  }
}
