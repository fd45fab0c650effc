import ArgumentParser
import Control

extension PoolCommand {
  struct Status: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
      commandName: "status", abstract: "Hosts, networks, bindings, key epochs and problems.")

    @OptionGroup var connection: ConnectionOptions
    @OptionGroup var format: FormatOptions

    func run() async throws {
      let answer = try await connection.client.get(API.PoolStatus.self, "/v1/pool")
      if format.json { return Output.bytes(answer.bytes) }
      let status = answer.value
      guard status.joined else {
        Output.line(Text.plain("Host \(status.host) is in no pool: run 'weft pool init' or 'weft pool join' here."))
        for problem in status.problems { Output.line(Text.plain("Problem: \(problem)")) }
        return
      }
      sheet(status).print()
      for problem in status.problems { Output.line(Text.plain("Problem: \(problem)")) }
    }

    private func sheet(_ status: API.PoolStatus) -> Sheet {
      var sheet = Sheet()
      sheet.add("Pool", "\(status.pool ?? "-") (\(status.poolId ?? "-"))")
      sheet.add("This host", "\(status.host) (\(status.address ?? "no address")), release \(status.release)")
      let hosts = status.hosts
      let counts = [
        (hosts.alive, "alive"), (hosts.suspect, "suspect"), (hosts.agentDown, "with its agent down"),
        (hosts.dead, "dead"),
      ]
      sheet.add("Hosts", Text.list(counts.filter { $0.0 > 0 }.map { "\($0.0) \($0.1)" }))
      sheet.add("Networks", String(status.networks))
      sheet.add("MACs", String(status.bindings))
      if !status.epochs.isEmpty {
        sheet.add("Key epochs", Text.list(status.epochs.map { "\($0.host) \($0.epoch)" }))
      }
      if let keys = status.keys { sheet.add("Keys", Self.standing(keys)) }
      sheet.add("Problems", status.problems.isEmpty ? "none" : String(status.problems.count))
      return sheet
    }

    private static func standing(_ keys: API.KeyCounts) -> String {
      let counts = [
        (keys.established, "established"), (keys.pending, "pending"), (keys.waiting, "waiting"), (keys.none, "missing"),
      ].filter { $0.0 > 0 }
      return counts.isEmpty ? "no other host" : Text.list(counts.map { "\($0.1) with \(Text.count($0.0, "host"))" })
    }
  }
}
