import Control
import Logging
import Registry
import ServiceLifecycle
import Wire

#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#endif

/// The daemon.
package enum Agent {
  package static let release = API.release

  /// Runs until SIGTERM or SIGINT, or until a service fails. Forwarding that stands in the kernel outlives it.
  ///
  /// - Throws: an error whose description is a sentence that says what to do.
  package static func run(_ settings: Settings) async throws {
    // Said at once and as a whole: without root something small would fail later, one thing after the other.
    guard geteuid() == 0 else { throw AgentError.notRoot }
    let log = makeLogger(settings)
    let name = try HostName(settings.name)
    let state = try StateDirectory(path: settings.stateDirectory)
    var wait = try UnderlayWait(settings.underlay)
    try await wait.run(log: log)
    let reactor = try Reactor()
    let (errands, sender) = AsyncStream.makeStream(of: Errand.self)
    let (changes, files) = AsyncStream.makeStream(of: StateQueue.Change.self)
    let engine = try await Engine(
      settings: settings, name: name, state: state, reactor: reactor, files: StateQueue(files), errands: sender,
      log: log)

    // They stop in the opposite order: what still has to be written is written last.
    let services: [any Service] = [
      StateWriter(engine: engine, state: state, changes: changes),
      EngineService(engine: engine),
      PeerServer(endpoint: engine.listening, credentials: engine.credentials, service: engine, logger: log),
      ErrandRunner(engine: engine, errands: errands),
      try ControlServer(path: settings.socket, service: engine, logger: log),
    ]
    let group = ServiceGroup(
      configuration: .init(services: services, gracefulShutdownSignals: [.sigterm, .sigint], logger: log))
    do { try await group.run() } catch {
      await engine.stopCarrying()
      throw error
    }
    // Packets go on while everything else stops.
    await engine.stopCarrying()
  }

  private static func makeLogger(_ settings: Settings) -> Logger {
    var log = Logger(label: "weftd") { StreamLogHandler.standardError(label: $0) }
    log.logLevel = settings.logLevel
    return log
  }
}

/// Why the agent does not start.
enum AgentError: Error, CustomStringConvertible {
  case notRoot

  var description: String { "weftd makes bridges, tunnels and packet sockets and needs root: run it as root." }
}

/// The engine as a service: it starts, and at the end stops without touching what stands in the kernel.
struct EngineService: Service {
  let engine: Engine

  func run() async throws {
    try await engine.start()
    // Ends at a graceful shutdown, or with the reason why this run cannot go on.
    var reason: EngineFailure?
    for await failure in engine.failures.cancelOnGracefulShutdown() {
      reason = failure
      break
    }
    await engine.stop()
    if let reason { throw reason }
  }
}
