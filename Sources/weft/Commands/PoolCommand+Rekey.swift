import ArgumentParser
import Control

extension PoolCommand {
  struct Rekey: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
      commandName: "rekey", abstract: "Draw new keys on every live host of the pool; traffic goes on.")

    @OptionGroup var connection: ConnectionOptions
    @OptionGroup var format: FormatOptions

    @Flag(help: "Only on this host.")
    var hostOnly = false

    func run() async throws {
      let answer = try await connection.client.order(
        API.RekeyResult.self, .POST, "/v1/pool/rekey", API.Rekey(hostOnly: hostOnly), timeout: .seconds(30))
      let result = answer.value
      if format.json { Output.bytes(answer.bytes) } else { Output.line(Text.plain(text(result))) }
      for problem in result.notReached {
        Output.error("Host \(problem.host) draws no new keys: \(problem.message)")
      }
      if !result.notReached.isEmpty { throw ExitCode(1) }
    }

    private func text(_ result: API.RekeyResult) -> String {
      let own = "New keys are drawn; \(result.host) has epoch \(result.epoch)"
      guard !hostOnly else { return own + "." }
      return own + ", and \(Text.count(result.asked.count, "other host")) took the order."
    }
  }
}
