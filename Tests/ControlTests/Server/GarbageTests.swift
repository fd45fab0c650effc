import Control
import Testing

/// Whatever comes in over the socket, the next client is served.
@Suite(.timeLimit(.minutes(1)))
struct GarbageTests {
  private static let good = "POST /v1/networks HTTP/1.1\r\nHost: weft\r\nContent-Length: 15\r\n\r\n{\"name\":\"blue\"}"

  private func stillServes(_ server: Serving) async throws {
    let answer = try await server.ask("GET", "/v1/health")
    #expect(answer.status == 200)
  }

  private func exchange(_ server: Serving, _ bytes: [UInt8], finish: Bool = true) async throws -> String {
    let path = server.path
    return try await offPool {
      let connection = try RawConnection(path)
      connection.send(bytes)
      if finish { connection.finishSending() }
      return String(decoding: try connection.readAll(), as: UTF8.self)
    }
  }

  @Test("random bytes get at most an error and leave the server serving")
  func random() async throws {
    try await withServer { server in
      var generator = SplitMix(state: 1)
      for _ in 0..<300 {
        let bytes = (0..<Int.random(in: 0..<2000, using: &generator)).map { _ in
          UInt8.random(in: .min ... .max, using: &generator)
        }
        let answer = try await exchange(server, bytes)
        #expect(answer.isEmpty || answer.hasPrefix("HTTP/1.1 4"))
      }
      try await stillServes(server)
    }
  }

  @Test("a good request with bytes changed, cut out or doubled never stops the server")
  func mutated() async throws {
    try await withServer { server in
      var generator = SplitMix(state: 2)
      for _ in 0..<600 {
        var bytes = Array(Self.good.utf8)
        for _ in 0...Int.random(in: 0..<4, using: &generator) {
          guard !bytes.isEmpty else { break }
          let place = Int.random(in: 0..<bytes.count, using: &generator)
          switch Int.random(in: 0..<4, using: &generator) {
          case 0: bytes[place] = UInt8.random(in: .min ... .max, using: &generator)
          case 1: bytes.remove(at: place)
          case 2: bytes.insert(bytes[place], at: place)
          default: bytes.removeSubrange(place...)
          }
        }
        let answer = try await exchange(server, bytes)
        #expect(answer.isEmpty || answer.hasPrefix("HTTP/1.1 4") || answer.hasPrefix("HTTP/1.1 2"))
      }
      try await stillServes(server)
    }
  }

  @Test(
    "strange request lines are answered, not followed",
    arguments: [
      "GET //////// HTTP/1.1", "GET ? HTTP/1.1", "GET /v1/pool?# HTTP/1.1", "OPTIONS * HTTP/1.1",
      "GET http://weft:1/v1/pool HTTP/1.1", "GET http:// HTTP/1.1", "GET http://[ HTTP/1.1",
      "GET /v1/networks/../../etc HTTP/1.1", "GET /v1/networks/% HTTP/1.1", "GET /v1/events?&&=&a== HTTP/1.1",
      "CONNECT weft:1 HTTP/1.1", "BREW /v1/pool HTTP/1.1", "GET /v1/pool HTTP/9.9", "GET /v1/pool", "PRI * HTTP/2.0",
    ])
  func requestLines(_ line: String) async throws {
    try await withServer { server in
      let answer = try await exchange(server, Array("\(line)\r\nHost: weft\r\n\r\n".utf8))
      #expect(answer.isEmpty || answer.hasPrefix("HTTP/1."))
      try await stillServes(server)
    }
  }

  @Test("headers without end are cut off with an error")
  func oversizeHeaders() async throws {
    try await withServer(patience: .milliseconds(200)) { server in
      let long = "GET /v1/pool HTTP/1.1\r\nX: " + String(repeating: "x", count: 1 << 20)
      let many = "GET /v1/pool HTTP/1.1\r\n" + String(repeating: "X: y\r\n", count: 100_000)
      for text in [long, many] {
        let answer = try await exchange(server, Array(text.utf8))
        #expect(answer.isEmpty || answer.hasPrefix("HTTP/1.1 4"))
      }
      #expect(await server.agent.calls.isEmpty)
      try await stillServes(server)
    }
  }

  @Test("two lengths for one body are refused")
  func smuggling() async throws {
    try await withServer { server in
      let text = "POST /v1/pool/leave HTTP/1.1\r\nHost: weft\r\nContent-Length: 2\r\nContent-Length: 40\r\n\r\n{}"
      let answer = try await exchange(server, Array(text.utf8))
      #expect(answer.isEmpty || answer.hasPrefix("HTTP/1.1 400"))
      #expect(await server.agent.calls.isEmpty)
    }
  }

  @Test("a client of HTTP/1.0 is answered and the connection closed")
  func http10() async throws {
    try await withServer { server in
      let answer = try await exchange(server, Array("GET /v1/health HTTP/1.0\r\n\r\n".utf8))
      #expect(answer.contains(" 200 OK\r\n"))
      #expect(answer.contains(#""pid":42"#))
    }
  }

  @Test("requests sent in one go are answered in their order")
  func pipelined() async throws {
    try await withServer { server in
      let one = "GET /v1/networks/first HTTP/1.1\r\nHost: weft\r\n\r\n"
      let two = "GET /v1/nothing HTTP/1.1\r\nHost: weft\r\nConnection: close\r\n\r\n"
      let answer = try await exchange(server, Array((one + Self.good + two).utf8), finish: false)
      let statuses = answer.split(whereSeparator: \.isNewline).filter { $0.hasPrefix("HTTP/1.1 ") }
      #expect(statuses == ["HTTP/1.1 200 OK", "HTTP/1.1 201 Created", "HTTP/1.1 404 Not Found"])
      #expect(await server.agent.calls == ["network first", "createNetwork blue nil nil nil nil nil"])
    }
  }

  @Test("a client that sends half a request holds up nobody")
  func halfRequest() async throws {
    try await withServer(grace: .milliseconds(10)) { server in
      let path = server.path
      let slow = try await offPool {
        let connection = try RawConnection(path)
        connection.send("POST /v1/networks HTTP/1.1\r\nHost: weft\r\nContent-Length: 100\r\n\r\n{\"na")
        return Kept(connection)
      }
      try await stillServes(server)
      #expect(await server.agent.calls.isEmpty)
      withExtendedLifetime(slow) {}
    }
  }
}

/// Keeps a connection open across threads; used by one at a time.
private final class Kept: @unchecked Sendable {
  let connection: RawConnection
  init(_ connection: sending RawConnection) { self.connection = connection }
}

/// The same numbers from the same start.
private struct SplitMix: RandomNumberGenerator {
  var state: UInt64

  mutating func next() -> UInt64 {
    state &+= 0x9e37_79b9_7f4a_7c15
    var word = state
    word = (word ^ word >> 30) &* 0xbf58_476d_1ce4_e5b9
    word = (word ^ word >> 27) &* 0x94d0_49bb_1331_11eb
    return word ^ word >> 31
  }
}
