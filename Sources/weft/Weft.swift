import ArgumentParser
import Control

/// The command line of Weft: each command is one request to the agent of this host.
@main
struct Weft: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "weft",
    abstract: "Private networks that span the hosts of a Xen pool.",
    discussion: "Talks to the agent of this host, weftd, over its socket; run it as root.",
    version: API.release,
    subcommands: [
      PoolCommand.self, HostCommand.self, NetworkCommand.self, MACCommand.self, EventsCommand.self, DoctorCommand.self,
    ])

  @OptionGroup var connection: ConnectionOptions

  /// Usage errors leave with 64 and their usage; everything else with 1 and one sentence on standard error.
  static func main() async {
    do {
      var command = try parseAsRoot()
      if var command = command as? any AsyncParsableCommand {
        try await command.run()
      } else {
        try command.run()
      }
    } catch let failure as Failure {
      Output.error(failure.sentence)
      exit(withError: ExitCode(1))
    } catch {
      exit(withError: error)
    }
  }
}
