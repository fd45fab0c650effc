import ArgumentParser
import Control

struct PoolCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "pool", abstract: "Make, join, leave and look at the pool.",
    subcommands: [Init.self, Invite.self, Join.self, Leave.self, Status.self, Rekey.self])
}

extension PoolCommand {
  struct Init: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
      commandName: "init", abstract: "Make a pool, with this host as the first one.")

    @OptionGroup var connection: ConnectionOptions

    @Option(help: ArgumentHelp("The name of the pool.", valueName: "pool"))
    var name: String?

    func run() async throws {
      let status = try await connection.client.send(
        API.PoolStatus.self, .POST, "/v1/pool/init", API.InitPool(name: name))
      Output.line(
        Text.plain(
          "Pool \(status.pool ?? "-") is made; this host is \(status.host) (\(status.address ?? "no address")).")
      )
    }
  }

  struct Invite: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
      commandName: "invite", abstract: "Print a token with which other hosts join.")

    @OptionGroup var connection: ConnectionOptions

    @Option(help: ArgumentHelp("How long the token is good: 90s, 30m, 1h, 1d.", valueName: "time"))
    var ttl: Lifetime?

    @Option(help: ArgumentHelp("How many hosts may use it (default 1).", valueName: "number"))
    var uses: Int?

    func validate() throws {
      if let uses, uses < 1 { throw ValidationError("--uses must be 1 or more.") }
    }

    func run() async throws {
      let invitation = try await connection.client.send(
        API.Invitation.self, .POST, "/v1/pool/tokens", API.Invite(ttl: ttl?.seconds, uses: uses))
      Output.line(Text.plain(invitation.token))
    }
  }

  struct Join: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
      commandName: "join", abstract: "Make this host part of a pool.")

    @OptionGroup var connection: ConnectionOptions

    @Argument(help: ArgumentHelp("A host of the pool: an address, or address:port.", valueName: "address"))
    var address: String

    @Option(parsing: .unconditional, help: "The token that 'weft pool invite' printed there.")
    var token: String

    func validate() throws {
      if address.isEmpty { throw ValidationError("Give the address of a host of the pool.") }
      if token.isEmpty { throw ValidationError("--token needs what 'weft pool invite' printed on a host of the pool.") }
    }

    func run() async throws {
      let status = try await connection.client.send(
        API.PoolStatus.self, .POST, "/v1/pool/join", API.JoinPool(address: address, token: token),
        timeout: .seconds(60))
      let hosts = status.hosts.alive + status.hosts.suspect + status.hosts.agentDown + status.hosts.dead
      Output.line(Text.plain("Joined pool \(status.pool ?? "-") as \(status.host): \(Text.count(hosts, "host")) now."))
    }
  }

  struct Leave: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
      commandName: "leave", abstract: "Take this host out of the pool and remove what Weft made on it.")

    @OptionGroup var connection: ConnectionOptions

    func run() async throws {
      _ = try await connection.client.send(API.Done.self, .POST, "/v1/pool/leave", timeout: .seconds(30))
      Output.line("This host has left the pool.")
    }
  }
}
