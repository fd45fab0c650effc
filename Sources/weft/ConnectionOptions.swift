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

  func validate() throws {
    if let socket, socket.isEmpty { throw ValidationError("--socket needs the path of the agent's socket.") }
  }

  var client: AgentClient {
    if let socket { return AgentClient(socket: socket) }
    guard let variable = getenv("WEFT_SOCKET"), variable.pointee != 0 else {
      return AgentClient(socket: API.defaultSocket)
    }
    return AgentClient(socket: String(cString: variable))
  }
}

/// For commands that show something.
struct FormatOptions: ParsableArguments {
  @Flag(help: "Print the agent's JSON instead of text.")
  var json = false
}
