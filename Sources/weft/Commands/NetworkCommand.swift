import ArgumentParser
import Control

struct NetworkCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "network", abstract: "Make, look at, change and delete private networks.",
    subcommands: [Create.self, List.self, Show.self, Set.self, Delete.self])

  /// The route of one network.
  static func path(_ network: String) -> String { "/v1/networks/\(PercentEncoding.encode(network))" }

  /// Says on which hosts the network stands.
  /// - Throws: `ExitCode(1)` after naming on standard error the live hosts on which it does not.
  static func report(_ result: API.NetworkResult, _ verb: String) throws {
    let network = result.network
    let stands = "stands on \(Text.count(network.hosts.count, "host")) after \(Text.seconds(result.milliseconds))"
    let numbers = "MTU \(network.mtu), VNI \(network.vni), bridge \(network.bridge)"
    Output.line(
      Text.plain(
        "Network \(network.name) is \(verb) and \(stands) "
          + "(\(network.encap.rawValue), encryption \(network.encryption.rawValue), \(numbers))."))
    for problem in network.problems {
      Output.error("Network \(network.name) \(network.standing(on: problem.host)): \(problem.message)")
    }
    if network.state == .conflict {
      Output.error(
        "Network \(network.name) carries no traffic: network \(network.conflictsWith ?? "of another host") has its VNI or "
          + "bridge; delete one of the two.")
    }
    if !network.problems.isEmpty || network.state == .conflict { throw ExitCode(1) }
  }
}

extension API.Encapsulation: ExpressibleByArgument {}
extension API.Encryption: ExpressibleByArgument {}

/// A network by its name or UUID.
struct NetworkArgument: ParsableArguments {
  @Argument(help: ArgumentHelp("The name or the UUID of a network.", valueName: "network"))
  var network: String

  func validate() throws { if network.isEmpty { throw ValidationError("Give the name or the UUID of a network.") } }
}

extension NetworkCommand {
  struct Create: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
      commandName: "create", abstract: "Make a network on every host of the pool.")

    @OptionGroup var connection: ConnectionOptions

    @Argument(help: "The name of the network.")
    var name: String

    @Option(help: "How frames travel between hosts: vxlan or gre (default vxlan).")
    var encap: API.Encapsulation?

    @Option(help: "Whether frames between hosts must be encrypted: required or off (default required).")
    var encryption: API.Encryption?

    @Option(help: "The largest IP packet of a guest, in bytes (default: the largest that fits every host).")
    var mtu: Int?

    @Option(help: "The number of the network on the wire, 1 to 16777215 (default: from its UUID).")
    var vni: Int?

    @Option(help: "The name of the bridge on every host (default: weft-<name>).")
    var bridge: String?

    func run() async throws {
      let result = try await connection.client.send(
        API.NetworkResult.self, .POST, "/v1/networks",
        API.CreateNetwork(name: name, encap: encap, encryption: encryption, mtu: mtu, vni: vni, bridge: bridge),
        timeout: .seconds(60))
      try NetworkCommand.report(result, "made")
    }
  }

  struct List: AsyncParsableCommand {
    static let configuration = CommandConfiguration(commandName: "list", abstract: "All networks of the pool.")

    @OptionGroup var connection: ConnectionOptions
    @OptionGroup var format: FormatOptions

    func run() async throws {
      let answer = try await connection.client.get([API.Network].self, "/v1/networks")
      if format.json { return Output.bytes(answer.bytes) }
      guard !answer.value.isEmpty else {
        return Output.line("There is no network: make one with 'weft network create NAME'.")
      }
      var table = Table("NAME", "STATE", "ENCAP", "ENCRYPTION", "MTU", "VNI", "BRIDGE", "HOSTS", "MACS")
      for network in answer.value {
        table.add(
          network.name, network.state.rawValue, network.encap.rawValue, network.encryption.rawValue,
          String(network.mtu), String(network.vni), network.bridge,
          "\(network.hosts.count)/\(Swift.Set(network.hosts + network.problems.map(\.host)).count)",
          String(network.bindings))
      }
      table.print()
    }
  }

  struct Show: AsyncParsableCommand {
    static let configuration = CommandConfiguration(commandName: "show", abstract: "One network of the pool.")

    @OptionGroup var connection: ConnectionOptions
    @OptionGroup var format: FormatOptions
    @OptionGroup var argument: NetworkArgument

    func run() async throws {
      let answer = try await connection.client.get(API.Network.self, NetworkCommand.path(argument.network))
      if format.json { return Output.bytes(answer.bytes) }
      let network = answer.value
      var sheet = Sheet()
      sheet.add("Name", network.name)
      sheet.add("UUID", network.id)
      sheet.add("State", network.state.rawValue)
      sheet.add("VNI", String(network.vni))
      sheet.add("Bridge", network.bridge)
      sheet.add("Encapsulation", network.encap.rawValue)
      sheet.add("Encryption", network.encryption.rawValue)
      sheet.add("MTU", String(network.mtu))
      if let overhead = network.overhead, let needed = network.underlayNeeded {
        sheet.add("Underlay MTU", "at least \(needed) (\(overhead) more)")
      }
      if let mechanism = network.mechanism { sheet.add("Carried by", mechanism) }
      if let forwarding = network.forwarding { add(forwarding, to: &sheet) }
      sheet.add("Stands on", Text.list(network.hosts))
      sheet.add("MACs", String(network.bindings))
      sheet.print()
      for problem in network.problems {
        Output.line(Text.plain("Problem: it \(network.standing(on: problem.host)): \(problem.message)"))
      }
      if network.state == .conflict {
        Output.line(
          Text.plain(
            "Problem: it carries no traffic, for network \(network.conflictsWith ?? "-") has its VNI or bridge: "
              + "delete one of the two."))
      }
      for drop in network.forwarding?.counters?.drops ?? [] {
        Output.line(Text.plain("Dropped: \(drop.count) \(drop.reason). \(drop.message)"))
      }
    }

    private func add(_ forwarding: API.Forwarding, to sheet: inout Sheet) {
      sheet.add("Floods to", Text.list(forwarding.flood))
      sheet.add("Remote MACs", String(forwarding.entries.count))
      guard let counters = forwarding.counters else { return }
      sheet.add(
        "Sent",
        "\(Text.count(counters.framesOut, "frame")) (\(counters.framesCut) cut, \(counters.framesFlooded) flooded) in "
          + "\(Text.count(counters.packetsOut, "packet")), \(Text.count(counters.bytesOut, "byte"))")
      sheet.add(
        "Received",
        "\(Text.count(counters.framesIn, "frame")) (\(counters.framesJoined) joined) of "
          + "\(Text.count(counters.packetsIn, "packet")), \(Text.count(counters.bytesIn, "byte"))")
    }
  }

  struct Set: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
      commandName: "set", abstract: "Rename a network or change its MTU.")

    @OptionGroup var connection: ConnectionOptions
    @OptionGroup var argument: NetworkArgument

    @Option(help: "The new name; bridge and UUID stay.")
    var name: String?

    @Option(help: "The new MTU, in bytes; guests keep theirs until they are told.")
    var mtu: Int?

    func validate() throws {
      if name == nil, mtu == nil { throw ValidationError("Say what to change: --name or --mtu.") }
    }

    func run() async throws {
      let result = try await connection.client.send(
        API.NetworkResult.self, .PATCH, NetworkCommand.path(argument.network), API.SetNetwork(name: name, mtu: mtu),
        timeout: .seconds(60))
      try NetworkCommand.report(result, "changed")
    }
  }

  struct Delete: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
      commandName: "delete", abstract: "Delete a network and remove what Weft made for it on every host.")

    @OptionGroup var connection: ConnectionOptions
    @OptionGroup var argument: NetworkArgument

    func run() async throws {
      _ = try await connection.client.send(
        API.Done.self, .DELETE, NetworkCommand.path(argument.network), timeout: .seconds(30))
      Output.line(Text.plain("Network \(argument.network) is deleted."))
    }
  }
}

extension API.Network {
  /// A host with a problem carries the network's traffic all the same if it is among `hosts`.
  fileprivate func standing(on host: String) -> String {
    hosts.contains(host) ? "is not as it should be on \(host)" : "does not stand on \(host)"
  }
}
