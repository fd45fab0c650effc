import Agent
import ArgumentParser
import Logging

#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#endif

/// The daemon of Weft. Everything it does stands as a list of services in `Agent.run`.
@main
struct WeftDaemon: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "weftd",
    abstract: "The agent that runs on every host of a Weft pool.",
    discussion: """
      Every flag can also be set by an environment variable: WEFT_STATE_DIR, WEFT_SOCKET, WEFT_NAME, WEFT_UNDERLAY, \
      WEFT_PORT, WEFT_DATAPLANE, WEFT_QUEUES, WEFT_LOG_LEVEL. A flag wins over its variable.
      """,
    version: Agent.release)

  @Option(help: "Where identity and pool state are kept (default /var/lib/weft).")
  var stateDir: String?

  @Option(help: "The unix socket of the API (default /run/weft/weft.sock).")
  var socket: String?

  @Option(help: "This host's name in the pool (default: the machine's host name).")
  var name: String?

  @Option(help: "An address or an interface of this host: where its tunnels end.")
  var underlay: String?

  @Option(help: "Port of gossip (UDP) and of join and sync (TCP), the same on every host (default 7677).")
  var port: UInt16?

  @Option(help: "Packet path of encrypted networks: auto, kernel or user (default auto).")
  var dataplane: String?

  @Option(help: "Queues of the packet path in user space, each with two threads (default: by the processors).")
  var queues: Int?

  @Option(help: "trace, debug, info, notice, warning, error or critical (default info).")
  var logLevel: String?

  func run() async throws {
    let start = ContinuousClock.now
    do {
      try await Agent.run(settings())
    } catch {
      // A supervisor starts the next run soon, as frames may wait for it. One that fails at its start would fail many
      // times a second. The reason comes behind what services say that are stopped meanwhile.
      if isatty(STDERR_FILENO) == 0 { try? await Task.sleep(until: start + .seconds(1)) }
      let line = Array("weftd: \(error)\n".utf8)
      write(STDERR_FILENO, line, line.count)
      throw ExitCode(1)
    }
  }

  private func settings() throws -> Settings {
    let dataPlaneText = dataplane ?? variable("WEFT_DATAPLANE") ?? "auto"
    guard let dataPlane = Settings.DataPlane(rawValue: dataPlaneText) else {
      throw ValidationError("--dataplane is auto, kernel or user, not '\(dataPlaneText)'.")
    }
    let levelText = logLevel ?? variable("WEFT_LOG_LEVEL") ?? "info"
    guard let level = Logger.Level(rawValue: levelText) else {
      throw ValidationError("--log-level is one of \(Logger.Level.allCases.map(\.rawValue)), not '\(levelText)'.")
    }
    let portText = variable("WEFT_PORT")
    guard let port = port ?? (portText == nil ? 7677 : UInt16(portText ?? "")) else {
      throw ValidationError("WEFT_PORT is a number from 1 to 65535, not '\(portText ?? "")'.")
    }
    let queuesText = variable("WEFT_QUEUES")
    if queues == nil, let queuesText, Int(queuesText) == nil {
      throw ValidationError("WEFT_QUEUES is a number from 1 to 16, not '\(queuesText)'.")
    }
    return try Settings(
      stateDirectory: stateDir ?? variable("WEFT_STATE_DIR") ?? "/var/lib/weft",
      socket: socket ?? variable("WEFT_SOCKET") ?? "/run/weft/weft.sock",
      name: name ?? variable("WEFT_NAME") ?? machineName(),
      underlay: underlay ?? variable("WEFT_UNDERLAY") ?? "",
      port: port, dataPlane: dataPlane, queues: queues ?? queuesText.flatMap { Int($0) }, logLevel: level)
  }

  private func variable(_ name: String) -> String? {
    guard let value = getenv(name), value.pointee != 0 else { return nil }
    return String(cString: value)
  }

  private func machineName() -> String {
    var buffer = [CChar](repeating: 0, count: 256)
    guard gethostname(&buffer, buffer.count - 1) == 0 else { return "" }
    return String(decoding: buffer.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
  }
}
