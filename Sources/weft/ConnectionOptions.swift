import ArgumentParser
import Control

#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#endif

/// Which agent to ask. Taken before or after the name of the command.
struct ConnectionOptions: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      "The socket of the agent (default \(API.defaultSocket), or WEFT_SOCKET).", valueName: "path"))
  var socket: String?

  @Option(
    help: ArgumentHelp(
      "How long to wait for the agent's answer (default 10; 60 to make or change a network).", valueName: "seconds"))
  var timeout: Int?

  func validate() throws {
    if let timeout, !(1...86_400).contains(timeout) {
      throw ValidationError("--timeout must be a number of seconds from 1 to 86400.")
    }
    if let socket, socket.isEmpty { throw ValidationError("--socket needs the path of the agent's socket.") }
  }

  var client: AgentClient { AgentClient(socket: path, timeout: timeout.map { .seconds($0) }) }

  private var path: String {
    if let socket { return socket }
    guard let variable = getenv("WEFT_SOCKET"), variable.pointee != 0 else { return API.defaultSocket }
    return String(cString: variable)
  }
}

/// For commands that show something.
struct FormatOptions: ParsableArguments {
  @Flag(help: "Print the agent's JSON instead of text.")
  var json = false
}
