import ArgumentParser
import Control

struct MACCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "mac", abstract: "Look at which MAC lives where.", subcommands: [List.self])
}

extension MACCommand {
  struct List: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
      commandName: "list", abstract: "All MACs of the pool or of one network.")

    @OptionGroup var connection: ConnectionOptions
    @OptionGroup var format: FormatOptions

    @Option(help: "Only those of this network, by name or UUID.")
    var network: String?

    func validate() throws {
      if let network, network.isEmpty { throw ValidationError("--network needs the name or the UUID of a network.") }
    }

    func run() async throws {
      let query = network.map { "?network=\(PercentEncoding.encode($0))" } ?? ""
      let answer = try await connection.client.get([API.Binding].self, "/v1/bindings" + query)
      if format.json { return Output.bytes(answer.bytes) }
      guard !answer.value.isEmpty else {
        return Output.line("There is no MAC: put the interface of a VM into the bridge of a network.")
      }
      var table = Table("MAC", "NETWORK", "HOST", "STATE", "SEQUENCE", "VIF", "VM", "IPS", "NOTE")
      for binding in answer.value {
        table.add(
          binding.mac, binding.network, binding.host, binding.state.rawValue, binding.sequence.map(String.init) ?? "",
          binding.vif ?? "", binding.vm ?? "", binding.ips.joined(separator: ","), Self.note(binding))
      }
      table.print()
    }

    /// What is special about a binding.
    static func note(_ binding: API.Binding) -> String {
      var notes: [String] = []
      if binding.duplicate {
        let others = binding.rivals.map { rival in "\(rival.host) \(rival.vm ?? rival.vif ?? "")" }
        notes.append("duplicate: also on \(Text.list(others))")
      }
      if binding.hidden { notes.append("host dead") }
      if binding.damped { notes.append("damped: moved too often") }
      return notes.joined(separator: "; ")
    }
  }
}
