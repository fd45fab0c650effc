import Control
import Testing

@Suite(.timeLimit(.minutes(1)))
struct FollowTests {
  private static let request = "GET /v1/events?follow=1 HTTP/1.1\r\nHost: weft\r\n\r\n"
  private static let later = API.Event(id: 6, seconds: 0, kind: "hostAlive", message: "host3 is alive.")

  @Test("a follower gets what is remembered at once, then each event as it comes")
  func follows() async throws {
    try await withServer { server in
      let path = server.path
      let (ready, signal) = AsyncStream<Void>.makeStream()
      async let reading = offPool {
        let connection = try RawConnection(path)
        connection.send(Self.request)
        let first = try connection.read(until: #""id":5"#)
        signal.finish()
        return (first, try connection.read(until: #""id":6"#))
      }
      for await _ in ready {}
      await server.agent.emit(Self.later)
      let (first, second) = try await reading
      #expect(first.lowercased().contains("transfer-encoding: chunked"))
      #expect(first.contains("application/x-ndjson"))
      #expect(second.contains(#""kind":"hostAlive""#))
    }
  }

  @Test("the stream of a follower that went away is ended, with no event in between")
  func followerGoes() async throws {
    try await withServer { server in
      let path = server.path
      try await offPool {
        let connection = try RawConnection(path)
        connection.send(Self.request)
        _ = try connection.read(until: #""id":5"#)
      }
      await server.agent.waitForFollowerGone()
      #expect(await server.agent.followersGone == 1)
    }
  }

  @Test("a graceful stop ends the stream of every follower")
  func stopEnds() async throws {
    try await withServer(grace: .seconds(60)) { server in
      let path = server.path
      let (ready, signal) = AsyncStream<Void>.makeStream()
      async let reading = offPool {
        let connection = try RawConnection(path)
        connection.send(Self.request)
        _ = try connection.read(until: #""id":5"#)
        signal.finish()
        return try connection.readAll()
      }
      for await _ in ready {}
      await server.stop()
      let rest = try await reading
      #expect(String(decoding: rest, as: UTF8.self).contains("0\r\n\r\n"))
    }
  }
}
