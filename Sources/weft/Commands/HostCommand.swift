import ArgumentParser
import Control

struct HostCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "host", abstract: "Look at the hosts of the pool, and evict one.",
    subcommands: [List.self, Show.self, Evict.self])

  /// The route of one host.
  static func path(_ host: String) -> String { "/v1/hosts/\(PercentEncoding.encode(host))" }

  static func word(_ state: API.HostState) -> String {
    switch state {
    case .agentDown: "agent down"
    default: state.rawValue
    }
  }

  static func words(_ capability: String) -> String {
    switch capability {
    case "kernelVXLAN": "kernel VXLAN"
    case "kernelGRE": "kernel GRE"
    case "kernelESP": "kernel ESP"
    case "espInUDP": "kernel ESP in UDP"
    case "userSpace": "user space"
    default: capability
    }
  }
}

/// A host by its name or ID.
struct HostArgument: ParsableArguments {
  @Argument(help: ArgumentHelp("The name or the ID of a host.", valueName: "host"))
  var host: String

  func validate() throws { if host.isEmpty { throw ValidationError("Give the name or the ID of a host.") } }
}

extension HostCommand {
  struct List: AsyncParsableCommand {
    static let configuration = CommandConfiguration(commandName: "list", abstract: "All hosts of the pool.")

    @OptionGroup var connection: ConnectionOptions
    @OptionGroup var format: FormatOptions

    func run() async throws {
      let answer = try await connection.client.get([API.Host].self, "/v1/hosts")
      if format.json { return Output.bytes(answer.bytes) }
      var table = Table("NAME", "STATE", "ADDRESS", "MTU", "RELEASE", "NOTE")
      for host in answer.value {
        var notes = host.isSelf ? ["this host"] : []
        if !host.problems.isEmpty { notes.append(Text.count(host.problems.count, "problem")) }
        table.add(
          host.name, HostCommand.word(host.state), host.address ?? "", host.mtu.map(String.init) ?? "",
          host.release ?? "",
          notes.joined(separator: ", "))
      }
      table.print()
    }
  }

  struct Show: AsyncParsableCommand {
    static let configuration = CommandConfiguration(commandName: "show", abstract: "One host of the pool.")

    @OptionGroup var connection: ConnectionOptions
    @OptionGroup var format: FormatOptions
    @OptionGroup var argument: HostArgument

    func run() async throws {
      let answer = try await connection.client.get(API.Host.self, HostCommand.path(argument.host))
      if format.json { return Output.bytes(answer.bytes) }
      let host = answer.value
      var sheet = Sheet()
      sheet.add("Name", host.name + (host.isSelf ? " (this host)" : ""))
      sheet.add("ID", host.id)
      sheet.add("State", HostCommand.word(host.state))
      sheet.add("Address", host.address ?? "")
      sheet.add("MTU", host.mtu.map(String.init) ?? "")
      sheet.add("Release", host.release ?? "")
      sheet.add("Capabilities", Text.list(host.capabilities.map(HostCommand.words)))
      sheet.add("Incarnation", String(host.incarnation))
      sheet.add("Boot", host.boot ?? "")
      sheet.add("Version", String(host.version))
      sheet.add("Key epoch", host.keyEpoch.map(String.init) ?? "")
      sheet.add("Networks", Text.list(host.networks))
      sheet.print()
      for problem in host.problems { Output.line(Text.plain("Problem: \(problem)")) }
      if let keys = host.keys, !keys.isEmpty {
        table(keys).print()
        for other in keys {
          for drop in other.drops {
            Output.line(Text.plain("Dropped with \(other.host): \(drop.count) \(drop.reason). \(drop.message)"))
          }
        }
      }
    }

    private func table(_ keys: [API.HostKeys]) -> Table {
      var table = Table("KEYS WITH", "STATE", "INBOUND", "OUTBOUND SPI", "SENT", "RECEIVED", "REPLAYED", "BROKEN")
      for host in keys {
        table.add(
          host.host, host.state.rawValue, String(host.inbound), host.outboundSPI ?? "", String(host.packetsSent),
          String(host.packetsReceived), String(host.replayed), String(host.integrityFailures))
      }
      return table
    }
  }

  struct Evict: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
      commandName: "evict", abstract: "Shut a host out of the pool for ever.")

    @OptionGroup var connection: ConnectionOptions
    @OptionGroup var argument: HostArgument

    func run() async throws {
      let host = try await connection.client.send(
        API.Host.self, .POST, HostCommand.path(argument.host) + "/evict", timeout: .seconds(30))
      Output.line(Text.plain("Host \(host.name) is evicted: its keys count for nothing in this pool any more."))
    }
  }
}
