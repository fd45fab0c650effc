import Control
import Glibc
import Testing

/// How a command leaves when it could not do what it was asked.
@Suite(.timeLimit(.minutes(1)))
struct ExitTests {
  @Test("an error of the agent is printed as its sentence, and the command leaves with 1")
  func agentError() async throws {
    try await withServer { server in
      await server.agent.set(fault: APIError(.notFound, "There is no network red: look at 'weft network list'."))
      let run = try await CommandLineTool.run(["--socket", server.path, "network", "show", "red", "--json"])
      #expect(run.status == 1)
      #expect(run.output == "")
      #expect(run.error == "weft: There is no network red: look at 'weft network list'.\n")
    }
  }

  @Test(
    "a host that could not be told to draw new keys is named, and the command leaves with 1", arguments: [true, false])
  func rekeyPartly(_ json: Bool) async throws {
    try await withServer { server in
      let why = API.Problem(host: "host2", message: "Its agent is silent: start weftd there.")
      await server.agent.set(unreachable: why)
      let words = ["--socket", server.path, "pool", "rekey"] + (json ? ["--json"] : [])
      let run = try await CommandLineTool.run(words)
      #expect(run.status == 1)
      if json {
        #expect(run.output.hasPrefix(#"{"apiVersion":1,"asked":["host3"],"epoch":3,"#))
      } else {
        #expect(run.output == "New keys are drawn; host1 has epoch 3, and 1 other host took the order.\n")
      }
      #expect(run.error == "weft: Host host2 draws no new keys: Its agent is silent: start weftd there.\n")
    }
  }

  @Test("a network that does not stand on every live host is made, the host is named, and the command leaves with 1")
  func partly() async throws {
    try await withServer { server in
      let run = try await CommandLineTool.run(["--socket", server.path, "network", "create", "partly"])
      #expect(run.status == 1)
      #expect(run.output.hasPrefix("Network partly is made and stands on 2 hosts after 0.04 s"))
      #expect(
        run.error
          == "weft: Network partly does not stand on host3: Its bridge weft-partly belongs to another program.\n")
    }
  }

  @Test("a doctor with a failed check prints its report and leaves with 1", arguments: [[], ["--json"]])
  func doctor(_ format: [String]) async throws {
    try await withServer { server in
      await server.agent.failDoctor()
      let run = try await CommandLineTool.run(["--socket", server.path, "doctor"] + format)
      #expect(run.status == 1)
      #expect(run.output.contains("failure"))
      #expect(run.error == "")
    }
  }

  @Test(
    "a wrong use leaves with 64 and asks nothing",
    arguments: [
      "bogus", "pool bogus", "pool join", "pool join 192.0.2.1", "pool invite --ttl 1x", "pool invite --ttl 0",
      "pool invite --ttl 1m1h", "pool invite --ttl 99999999999999999999d", "pool invite --uses 0", "network create",
      "network create blue --encap geneve", "network create blue --mtu big", "network create blue --mtu -1",
      "network create blue green", "network set blue", "host show", "mac list --colour", "pool status --timeout 0",
      "pool rekey host2",
    ])
  func usage(_ arguments: String) async throws {
    try await withServer { server in
      let words = arguments.split(separator: " ").map(String.init)
      let run = try await CommandLineTool.run(["--socket", server.path] + words)
      #expect(run.status == 64)
      #expect(run.output == "")
      #expect(run.error.hasPrefix("Error: "))
      #expect(await server.agent.calls.isEmpty)
    }
  }

  @Test(
    "an empty name is a wrong use", arguments: [["network", "show"], ["host", "show"], ["mac", "list", "--network"]])
  func emptyName(_ words: [String]) async throws {
    let run = try await CommandLineTool.run(["--socket", "/nowhere"] + words + [""])
    #expect(run.status == 64)
  }

  @Test("without a socket the command says that weftd does not run, and how to start it")
  func noSocket() async throws {
    let directory = try TemporaryDirectory()
    let path = "\(directory.path)/weft.sock"
    let run = try await CommandLineTool.run(["pool", "status", "--socket", path])
    #expect(run.status == 1)
    #expect(
      run.error == "weft: weftd is not running (no socket at \(path)): start it with 'systemctl start weftd', "
        + "or pass its --socket.\n")
  }

  @Test("with the socket of a dead agent the command says that nobody listens")
  func deadSocket() async throws {
    let directory = try TemporaryDirectory()
    let path = "\(directory.path)/weft.sock"
    do { _ = try RawListener(path) }
    let run = try await CommandLineTool.run(["pool", "status"], environment: ["WEFT_SOCKET=\(path)"])
    #expect(run.status == 1)
    #expect(run.error.hasPrefix("weft: weftd is not running (nobody listens at \(path)): start it with "))
  }

  @Test("the flag --socket wins over WEFT_SOCKET")
  func flagWins() async throws {
    try await withServer { server in
      let run = try await CommandLineTool.run(
        ["--socket", server.path, "pool", "status"], environment: ["WEFT_SOCKET=/nowhere"])
      #expect(run.status == 0)
    }
  }

  @Test("a user who may not open the socket is told to be root", .enabled(if: geteuid() == 0))
  func permission() async throws {
    try await withServer { server in
      chmod(String(server.path.dropLast("/weft.sock".count)), 0o755)
      let process = try CommandLineTool.start(["--socket", server.path, "pool", "status"], asNobody: true)
      let run = try await process.wait()
      #expect(run.status == 1)
      #expect(run.error == "weft: You may not talk to weftd at \(server.path): run weft as root.\n")
    }
  }

  @Test("an agent that hangs is given up with a sentence")
  func hangs() async throws {
    let directory = try TemporaryDirectory()
    let path = "\(directory.path)/weft.sock"
    let listener = try RawListener(path)
    let run = try await CommandLineTool.run(["--socket", path, "--timeout", "1", "network", "create", "blue"])
    #expect(run.status == 1)
    #expect(
      run.error
        == "weft: weftd did not answer within 1 s at \(path): look at its log, and restart it if it hangs.\n")
    withExtendedLifetime(listener) {}
  }

  @Test(
    "what is not an agent of this release is named, whatever it answers",
    arguments: [
      "", "SSH-2.0-x\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}",
      "HTTP/1.1 200 OK\r\nWeft-API: 2\r\nContent-Length: 2\r\n\r\n{}",
      "HTTP/1.1 200 OK\r\nWeft-API: 1\r\nContent-Length: 2\r\n\r\n{}",
      "HTTP/1.1 200 OK\r\nWeft-API: 1\r\nContent-Length: 99\r\n\r\n{}",
      "HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n",
    ])
  func stranger(_ answer: String) async throws {
    let directory = try TemporaryDirectory()
    let path = "\(directory.path)/weft.sock"
    let listener = try RawListener(path)
    async let served: Void = offPool { try listener.answerOnce(Array(answer.utf8)) }
    let run = try await CommandLineTool.run(["--socket", path, "pool", "status"])
    try await served
    #expect(run.status == 1)
    #expect(run.output == "")
    #expect(run.error.hasPrefix("weft: ") && run.error.hasSuffix(".\n"))
    #expect(run.error.split(separator: "\n").count == 1)
  }

  @Test(
    "an agent that ends in the middle of an answer is told as such",
    arguments: [
      ("events --follow", "weftd has stopped: start it, then run this command again."),
      ("pool status", "weftd closed the connection at SOCKET before it had answered: look at its log, then try again."),
    ])
  func cutOff(_ words: String, _ sentence: String) async throws {
    let directory = try TemporaryDirectory()
    let path = "\(directory.path)/weft.sock"
    let listener = try RawListener(path)
    let answer =
      "HTTP/1.1 200 OK\r\n\(API.versionHeader): \(API.version)\r\nTransfer-Encoding: chunked\r\n\r\n40\r\n{\"id\":1"
    async let served: Void = offPool { try listener.answerOnce(Array(answer.utf8)) }
    let run = try await CommandLineTool.run(["--socket", path] + words.split(separator: " ").map(String.init))
    try await served
    #expect(run.status == 1)
    #expect(run.error.replacing(path, with: "SOCKET") == "weft: \(sentence)\n")
  }

  @Test("a name that would steer the terminal is shown without its control characters")
  func escapes() async throws {
    try await withServer { server in
      await server.agent.set(fault: APIError(.notFound, "There is no host \u{1B}[2Jx\ny\u{202E}: look."))
      let run = try await CommandLineTool.run(["--socket", server.path, "host", "show", "x"])
      #expect(run.error == "weft: There is no host ?[2Jx?y?: look.\n")
    }
  }

  @Test("--version prints the release and --help the commands, and both leave with 0")
  func version() async throws {
    let version = try await CommandLineTool.run(["--version"])
    #expect(version.status == 0 && version.output == API.release + "\n")
    let help = try await CommandLineTool.run(["--help"])
    #expect(help.status == 0)
    for word in ["pool", "host", "network", "mac", "events", "doctor"] { #expect(help.output.contains("\n  \(word) ")) }
  }
}
