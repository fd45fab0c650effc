import Membership
import NIOCore
import NIOPosix
import Testing
import Trust
import Wire

@testable import Agent

@Suite(.timeLimit(.minutes(3))) struct TCPProbeTests {
  @Test func `An agent that answers is found as agent, by its own host ID only`() async throws {
    let pool = try TestHosts()
    try await withServer(PeerCredentials(pool.credentials(0)), PongService()) { endpoint in
      for (host, expected) in [(pool.id(0), Membership.TCPProbeOutcome.agent), (pool.id(2), .kernel)] {
        let found = try await TCPProbe.probe(
          endpoint, host: host, credentials: pool.credentials(1), timeout: .seconds(20))
        #expect(found == expected)
      }
    }
  }

  @Test func `An agent that shakes hands and does not answer the ping is a kernel without its agent`() async throws {
    let pool = try TestHosts()
    let service = ReversingService()
    try await withServer(PeerCredentials(pool.credentials(0)), service) { endpoint in
      let found = try await TCPProbe.probe(
        endpoint, host: pool.id(0), credentials: pool.credentials(1), timeout: .seconds(20))
      #expect(found == .kernel)
    }
    #expect(service.principals.count == 1)
  }

  @Test func `A port that accepts and stays silent, or resets, is a kernel without its agent`() async throws {
    let pool = try TestHosts()
    let listener = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
      .serverChannelOption(.autoRead, value: false)
      .bind(host: "127.0.0.1", port: 0).get()
    let endpoint = try #require(listener.localAddress?.endpoint)
    let credentials = try pool.credentials(1)
    #expect(
      await TCPProbe.probe(endpoint, host: pool.id(0), credentials: credentials, timeout: .seconds(1)) == .kernel
    )
    try await listener.close()
    #expect(
      await TCPProbe.probe(endpoint, host: pool.id(0), credentials: credentials, timeout: .seconds(20)) == .kernel)
  }

  @Test func `An address from which nothing comes back is silent`() async throws {
    let pool = try TestHosts()
    // A documentation address: unreachable, or dropped on the way.
    let found = try await TCPProbe.probe(
      Endpoint(address: .v6(high: 0x2001_0db8 << 32, low: 1), port: 7677), host: pool.id(0),
      credentials: pool.credentials(1), timeout: .milliseconds(300))
    #expect(found == .silent)
  }
}

/// Answers a ping as an agent does.
private struct PongService: PeerService {
  func respond(to request: [UInt8], from principal: PeerPrincipal) async -> [UInt8] {
    guard (try? PeerMessage.decode(request)) == .ping else { return [] }
    return (try? PeerMessage.pong.encoded()) ?? []
  }

  func refused(_ refusal: PeerRefusal) async {}
}
