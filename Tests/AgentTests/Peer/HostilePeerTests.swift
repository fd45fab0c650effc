import Logging
import Membership
import NIOCore
import NIOPosix
import Testing
import Trust
import Wire

@testable import Agent

/// Callers and servers that do not keep to the rules.
@Suite(.timeLimit(.minutes(3))) struct HostilePeerTests {
  private static func limits(handshake: Duration = .seconds(20), idle: Duration = .seconds(20)) -> PeerLimits {
    var limits = PeerLimits()
    limits.handshake = handshake
    limits.idle = idle
    return limits
  }

  /// Reads until the other side closes.
  private static func drain(_ inbound: NIOAsyncChannelInboundStream<ByteBuffer>) async {
    do { for try await _ in inbound {} } catch { return }
  }

  @Test func `Garbage on the port is turned away with a reason, and the server goes on`() async throws {
    let pool = try TestHosts()
    let service = ReversingService()
    try await withServer(PeerCredentials(pool.credentials(0)), service) { endpoint in
      var generator = SeededGenerator(seed: 7)
      let openings: [[UInt8]] = [
        Array("GET / HTTP/1.1\r\nHost: x\r\n\r\n".utf8), [UInt8](repeating: 0xff, count: 3000),
        [0x16, 3, 1, 0xff, 0xff] + [UInt8](repeating: 1, count: 20_000), [0x16, 3, 3, 0, 5, 1, 0, 0, 1, 0],
      ]
      let noise = (0..<20).map { _ in (0..<200).map { _ in UInt8.random(in: 0...255, using: &generator) } }
      for bytes in openings + noise {
        try await withTCP(endpoint) { inbound, outbound in
          do { try await outbound.write(ByteBuffer(bytes: bytes)) } catch { return }
          outbound.finish()
          await Self.drain(inbound)
        }
        let told = await service.nextRefusal()
        #expect(!told.isEmpty)
      }
      let answer = try await PeerClient.call(
        endpoint, credentials: pool.credentials(1), expecting: .anyMember, request: [1, 2], timeout: .seconds(20))
      #expect(answer == [2, 1])
    }
    #expect(service.principals.count == 1)
  }

  @Test func `Who connects and says nothing is closed after the handshake deadline`() async throws {
    let pool = try TestHosts()
    let service = ReversingService()
    try await withServer(
      PeerCredentials(pool.credentials(0)), service, limits: Self.limits(handshake: .milliseconds(100))
    ) { endpoint in
      try await withTCP(endpoint) { inbound, _ in await Self.drain(inbound) }
      let told = await service.nextRefusal()
      #expect(told == "the TLS handshake took too long.")
    }
  }

  @Test func `A member that sends half a request is closed after the idle deadline`() async throws {
    let pool = try TestHosts()
    let service = ReversingService()
    try await withServer(PeerCredentials(pool.credentials(0)), service, limits: Self.limits(idle: .milliseconds(100))) {
      endpoint in
      try await withTLS(endpoint, pool.credentials(1)) { inbound, outbound in
        // On a busy machine the deadline may be over before this is written; the reason is the same.
        do { try await outbound.write(ByteBuffer(bytes: [0, 0, 0, 9, 1, 2, 3])) } catch { return }
        await Self.drain(inbound)
      }
      let told = await service.nextRefusal()
      #expect(told == "its request did not come in time.")
    }
    #expect(service.principals.isEmpty)
  }

  @Test func `A length beyond a member's limit is refused before its bytes come`() async throws {
    let pool = try TestHosts()
    let service = ReversingService()
    try await withServer(PeerCredentials(pool.credentials(0)), service) { endpoint in
      let answer = try await withTLS(endpoint, pool.credentials(1)) { inbound, outbound in
        try await outbound.write(ByteBuffer(bytes: [0xff, 0xff, 0xff, 0xff]))
        var answer = ByteBuffer()
        for try await var part in inbound {
          answer.writeBuffer(&part)
          if answer.readableBytes > 4, answer.readableBytes >= 4 + Int(answer.getInteger(at: 0, as: UInt32.self) ?? 0) {
            break
          }
        }
        return answer
      }
      let sentence = "A request of 4294967295 bytes is too long here: 16777216 are allowed."
      #expect(answer == PeerFrame.refusal(sentence))
      let told = await service.nextRefusal()
      #expect(told == sentence)
    }
    #expect(service.principals.isEmpty)
  }

  @Test func `Requests one upon the other are cut off`() async throws {
    let pool = try TestHosts()
    let service = ReversingService()
    try await withServer(PeerCredentials(pool.credentials(0)), service) { endpoint in
      try await withTLS(endpoint, pool.credentials(1)) { inbound, outbound in
        try await outbound.write(ByteBuffer(bytes: [0, 0, 0, 1, 7, 0, 0, 0, 1, 8]))
        await Self.drain(inbound)
      }
      let told = await service.nextRefusal()
      #expect(told == "it sent a request before the last one was answered.")
    }
    #expect(service.principals.isEmpty)
  }

  @Test func `One connection carries request after request`() async throws {
    let pool = try TestHosts()
    try await withServer(PeerCredentials(pool.credentials(0)), ReversingService()) { endpoint in
      try await withTLS(endpoint, pool.credentials(1)) { inbound, outbound in
        var parts = inbound.makeAsyncIterator()
        for number: UInt8 in 1...5 {
          try await outbound.write(ByteBuffer(bytes: [0, 0, 0, 2, number, 0]))
          var answer = ByteBuffer()
          while answer.readableBytes < 7, var part = try await parts.next() { answer.writeBuffer(&part) }
          #expect(answer == PeerFrame.answer([0, number]))
        }
      }
    }
  }

  @Test(arguments: [false, true])
  func `Connections beyond the bound of one address or prefix are closed at once, and room is made again`(
    isPrefix: Bool
  ) async throws {
    let pool = try TestHosts()
    let service = ReversingService()
    var limits = PeerLimits()
    if isPrefix { limits.connectionsPerBlock = 2 } else { limits.connectionsPerAddress = 2 }
    let address = isPrefix ? IPAddress.v6(high: 0, low: 1) : .v4(0x7f00_0001)
    try await withServer(PeerCredentials(pool.credentials(0)), service, limits: limits, address: address) { endpoint in
      func call() async throws -> [UInt8] {
        try await PeerClient.call(
          endpoint, credentials: pool.credentials(1), expecting: .anyMember, request: [1, 2], timeout: .seconds(20))
      }
      try await withTLS(endpoint, pool.credentials(1)) { inbound, outbound in
        try await withTLS(endpoint, pool.credentials(2)) { otherInbound, otherOutbound in
          for (parts, output) in [(inbound, outbound), (otherInbound, otherOutbound)] {
            try await output.write(ByteBuffer(bytes: [0, 0, 0, 0]))
            for try await _ in parts { break }
          }
          let excess = await callFailure(call)
          #expect(excess == .closed(endpoint, .handshake))
          let told = await service.nextRefusal()
          #expect(told == "2 connections are open from \(isPrefix ? "the /64 of " : "")that address already.")
        }
      }
      // The server notices the end of those two a moment later.
      while true {
        if await callFailure(call) == nil { break }
      }
    }
  }

  @Test func `When the server stops, open connections are closed and the port is free`() async throws {
    let pool = try TestHosts()
    let credentials = PeerCredentials(try pool.credentials(0))
    let (opened, isOpen) = AsyncStream.makeStream(of: Endpoint.self)
    try await withThrowingTaskGroup(of: Void.self) { group in
      let (endpoints, input) = AsyncStream.makeStream(of: Endpoint.self)
      // An address of its own: on 127.0.0.1 another test's server may be given the port as soon as it is free.
      let server = PeerServer(
        endpoint: ListeningEndpoint(Endpoint(address: .v4(0x7f5b_0703), port: 0)), credentials: credentials,
        service: ReversingService(),
        logger: Logger(label: "test"), whenListening: { input.yield($0) })
      group.addTask {
        await withTaskGroup(of: Void.self) { inner in
          inner.addTask { try? await server.run() }
          for await _ in opened { break }
          inner.cancelAll()
        }
      }
      for await endpoint in endpoints {
        try await withTLS(endpoint, pool.credentials(1)) { inbound, outbound in
          try await outbound.write(ByteBuffer(bytes: [0, 0, 0, 0]))
          var isFirst = true
          for try await _ in inbound where isFirst {
            isFirst = false
            isOpen.yield(endpoint)
          }
        }
        try await group.waitForAll()
        #expect(try await isClosed(endpoint, to: pool.credentials(1)))
        break
      }
    }
  }

  @Test func `A server that is no weftd is named as such, and a silent one times out`() async throws {
    let pool = try TestHosts()
    // An address of its own: see above.
    let listener = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
      .bind(host: "127.91.7.4", port: 0) { channel in
        channel.eventLoop.makeCompletedFuture {
          try NIOAsyncChannel<ByteBuffer, ByteBuffer>(wrappingChannelSynchronously: channel)
        }
      }
    let endpoint = try #require(listener.channel.localAddress?.endpoint)
    try await listener.executeThenClose { connections in
      var arrivals = connections.makeAsyncIterator()
      func call(_ timeout: Duration) async -> PeerClientError? {
        await callFailure {
          try await PeerClient.call(
            endpoint, credentials: pool.credentials(1), expecting: .anyMember, request: [1], timeout: timeout)
        }
      }
      for greeting in ["220 mail.example ESMTP\r\n", "HTTP/1.1 400 Bad Request\r\n\r\n"] {
        async let failure = call(.seconds(20))
        try await arrivals.next()?.executeThenClose { inbound, outbound in
          try await outbound.write(ByteBuffer(string: greeting))
          await Self.drain(inbound)
        }
        let other = await failure
        #expect(other == .notWeft(endpoint, reason: "it does not speak TLS."))
      }
      async let silent = call(.seconds(1))
      try await arrivals.next()?.executeThenClose { inbound, _ in await Self.drain(inbound) }
      let silence = await silent
      #expect(silence == .timedOut(endpoint, .handshake))
      async let closed = call(.seconds(20))
      try await arrivals.next()?.executeThenClose { _, _ in }
      let closing = await closed
      #expect(closing == .closed(endpoint, .handshake))
    }
    #expect(try await isClosed(endpoint, to: pool.credentials(1)))
  }

  @Test func `A service that never answers runs into the caller's timeout`() async throws {
    struct Silent: PeerService {
      func respond(to request: [UInt8], from principal: PeerPrincipal) async -> [UInt8] {
        // Nothing ever comes; it ends when the server does.
        for await _ in AsyncStream.makeStream(of: Never.self).stream {}
        return []
      }

      func refused(_ refusal: PeerRefusal) async {}
    }
    let pool = try TestHosts()
    try await withServer(PeerCredentials(pool.credentials(0)), Silent()) { endpoint in
      // A busy machine may not have ended the handshake in the first of these times.
      var failure: PeerClientError?
      for seconds in [2, 10, 30] where failure != .timedOut(endpoint, .answer) {
        failure = await callFailure {
          try await PeerClient.call(
            endpoint, credentials: pool.credentials(1), expecting: .anyMember, request: [1], timeout: .seconds(seconds))
        }
      }
      #expect(failure == .timedOut(endpoint, .answer))
    }
  }

  @Test func `A call that is cancelled ends at once`() async throws {
    let pool = try TestHosts()
    let listener = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
      .bind(host: "127.0.0.1", port: 0).get()
    let endpoint = try #require(listener.localAddress?.endpoint)
    let began = ContinuousClock.now
    let failure = await withTaskGroup(of: PeerClientError?.self) { group in
      group.addTask {
        await callFailure {
          try await PeerClient.call(
            endpoint, credentials: pool.credentials(1), expecting: .anyMember, request: [1], timeout: .seconds(50))
        }
      }
      group.cancelAll()
      return await group.next()
    }
    #expect(failure == .cancelled)
    #expect(ContinuousClock.now - began < .seconds(20))
    try await listener.close()
  }

  @Test func `An address that is not this host's cannot be called from`() async throws {
    let pool = try TestHosts()
    let foreign = IPAddress.v4(0xc000_0201)
    let failure = await callFailure {
      try await PeerClient.call(
        Endpoint(address: .v4(0x7f00_0001), port: 7677), from: foreign, credentials: pool.credentials(1),
        expecting: .anyMember, request: [1], timeout: .seconds(20))
    }
    #expect(failure == .localAddress(foreign))
  }

  @Test func `What a server says is shown as one line without control characters`() {
    #expect(PeerFrame.sentence(Array("a\u{1b}[2Jb\nc\u{202e}d é".utf8)) == "a [2Jb c d é")
    #expect(PeerFrame.sentence([UInt8](repeating: 0x61, count: 5000)).utf8.count == 512)
    #expect(PeerFrame.sentence([0xff, 0x61]).hasSuffix("a"))
  }
}
