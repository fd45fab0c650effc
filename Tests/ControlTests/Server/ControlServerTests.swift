import Control
import Glibc
import Logging
import Testing

@Suite(.timeLimit(.minutes(1)))
struct ControlServerTests {
  private func mode(_ path: String) -> UInt32? {
    var status = stat()
    return lstat(path, &status) == 0 ? status.st_mode & 0o7777 : nil
  }

  private func expectServes(_ server: Serving) async throws {
    let answer = try await server.ask("GET", "/v1/health")
    #expect(answer.status == 200)
  }

  private func refusal(_ path: String) async -> String {
    do {
      try await withServer(path: path) { _ in }
      return "served"
    } catch { return "\(error)" }
  }

  @Test("the socket has mode 0660 in a directory with mode 0755 that the server makes, and goes at a clean stop")
  func modeAndRemoval() async throws {
    let directory = try TemporaryDirectory()
    let path = "\(directory.path)/deep/er/weft.sock"
    try await withServer(path: path) { server in
      #expect(mode(path) == 0o660)
      #expect(mode("\(directory.path)/deep/er") == 0o755)
      try await expectServes(server)
    }
    #expect(mode(path) == nil)
    #expect(mode(String(path.dropLast()) + "~") == nil)
  }

  @Test("the socket of a dead agent is replaced")
  func stale() async throws {
    let directory = try TemporaryDirectory()
    let path = "\(directory.path)/weft.sock"
    do { _ = try RawListener(path) }
    #expect(mode(path) != nil)
    try await withServer(path: path) { server in
      try await expectServes(server)
    }
  }

  @Test("the socket of a living agent is refused and left alone")
  func living() async throws {
    try await withServer { server in
      #expect(
        await refusal(server.path)
          == "An agent already answers at \(server.path): stop it first, or pass another path with --socket.")
      try await expectServes(server)
    }
  }

  @Test("a file that is not a socket is refused and left alone")
  func otherFile() async throws {
    let directory = try TemporaryDirectory()
    let path = "\(directory.path)/plain"
    close(open(path, O_CREAT | O_WRONLY, 0o600))
    #expect(
      await refusal(path) == "\(path) exists and is not a socket: remove it, or pass another path with --socket.")
    #expect(mode(path) == 0o600)
  }

  @Test("a directory that cannot be made is refused with its name")
  func noDirectory() async throws {
    let directory = try TemporaryDirectory()
    let file = "\(directory.path)/plain"
    close(open(file, O_CREAT | O_WRONLY, 0o600))
    #expect(await refusal("\(file)/x/weft.sock").hasPrefix("The directory \(file)/x for the socket cannot be made ("))
  }

  @Test("a path is taken up to 103 bytes")
  func length() async throws {
    let directory = try TemporaryDirectory()
    let padding = String(repeating: "x", count: 103 - directory.path.utf8.count - 1)
    let path = "\(directory.path)/\(padding)"
    try await withServer(path: path) { server in
      try await expectServes(server)
    }
    #expect(
      await refusal(path + "y")
        == "The path of the socket has 104 bytes and at most 103 work: pass a shorter one with --socket.")
  }

  @Test("a relative path is refused", arguments: ["", "weft.sock", "/run/weft/"])
  func relative(_ path: String) async throws {
    #expect(
      await refusal(path) == "'\(path)' cannot be a socket: pass --socket with an absolute path to a file.")
  }

  @Test("a stop leaves alone the socket of an agent that has taken the name since")
  func takenSince() async throws {
    let directory = try TemporaryDirectory()
    let path = "\(directory.path)/weft.sock"
    let later = try await withServer(path: path) { _ in
      unlink(path)
      return try RawListener(path)
    }
    #expect(mode(path) != nil)
    withExtendedLifetime(later) {}
  }

  @Test("a request under way at a graceful stop is answered")
  func underWay() async throws {
    let agent = ExampleAgent()
    await agent.hold()
    try await withServer(agent: agent, grace: .seconds(60)) { server in
      async let answer = server.ask("GET", "/v1/doctor")
      await agent.waitForHeld()
      await server.stop()
      await agent.release()
      let status = try await answer.status
      #expect(status == 200)
    }
  }
}
