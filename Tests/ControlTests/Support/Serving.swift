import Control
import Glibc
import Logging
import ServiceLifecycle

/// A real server on a real socket around an example agent.
struct Serving: Sendable {
  let agent: ExampleAgent
  let path: String
  let group: ServiceGroup

  /// Asks the server to end as SIGTERM does.
  func stop() async { await group.triggerGracefulShutdown() }

  func ask(_ method: String, _ target: String, _ body: String? = nil, headers: [String] = []) async throws -> HTTPAnswer
  {
    let path = path
    return try await offPool {
      let connection = try RawConnection(path)
      var lines = ["\(method) \(target) HTTP/1.1", "Host: weft", "Connection: close"] + headers
      if let body { lines.append("Content-Length: \(body.utf8.count)") }
      connection.send(lines.joined(separator: "\r\n") + "\r\n\r\n" + (body ?? ""))
      return try HTTPAnswer(connection.readAll())
    }
  }
}

/// Runs `body` against a server, then ends the server cleanly.
func withServer<Value: Sendable>(
  agent: ExampleAgent = ExampleAgent(), grace: Duration = .seconds(5), patience: Duration = .seconds(10),
  _ body: @Sendable (Serving) async throws -> Value
) async throws -> Value {
  let directory = try TemporaryDirectory()
  return try await withServer(agent: agent, path: "\(directory.path)/weft.sock", grace: grace, patience: patience, body)
}

func withServer<Value: Sendable>(
  agent: ExampleAgent = ExampleAgent(), path: String, grace: Duration = .seconds(5), patience: Duration = .seconds(10),
  _ body: @Sendable (Serving) async throws -> Value
) async throws -> Value {
  let (listening, signal) = AsyncStream<Void>.makeStream()
  let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
  let server = try ControlServer(path: path, service: agent, logger: logger, grace: grace, patience: patience) {
    signal.finish()
  }
  let group = ServiceGroup(
    configuration: ServiceGroupConfiguration(
      services: [
        .init(service: server, successTerminationBehavior: .gracefullyShutdownGroup)
      ], logger: logger))
  return try await withThrowingTaskGroup(of: Void.self) { tasks in
    tasks.addTask {
      defer { signal.finish() }
      try await group.run()
    }
    for await _ in listening {}
    let result: Result<Value, any Error>
    do { result = .success(try await body(Serving(agent: agent, path: path, group: group))) } catch {
      result = .failure(error)
    }
    await group.triggerGracefulShutdown()
    try await tasks.waitForAll()
    return try result.get()
  }
}
