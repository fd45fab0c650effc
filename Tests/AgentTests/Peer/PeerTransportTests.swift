import Logging
import Membership
import Testing
import Trust
import Wire

@testable import Agent

@Suite(.timeLimit(.minutes(3))) struct PeerTransportTests {
  @Test func `A member's request is answered and the service knows who asked`() async throws {
    let pool = try TestHosts()
    let service = ReversingService()
    try await withServer(PeerCredentials(pool.credentials(0)), service) { endpoint in
      for expectation in [PeerExpectation.anyMember, .host(pool.id(0)), .pinnedCA(pool.ca.fingerprint)] {
        let answer = try await PeerClient.call(
          endpoint, from: .v4(0x7f00_0001), credentials: pool.credentials(1), expecting: expectation,
          request: [1, 2, 3], timeout: .seconds(20))
        #expect(answer == [3, 2, 1])
      }
    }
    #expect(service.principals == [PeerPrincipal](repeating: .member(pool.id(1)), count: 3))
  }

  @Test func `It works over IPv6`() async throws {
    let pool = try TestHosts()
    try await withServer(
      PeerCredentials(pool.credentials(0)), ReversingService(), address: .v6(high: 0, low: 1)
    ) { endpoint in
      #expect(endpoint.address.isV6)
      let answer = try await PeerClient.call(
        endpoint, credentials: pool.credentials(1), expecting: .anyMember, request: [1, 2], timeout: .seconds(20))
      #expect(answer == [2, 1])
    }
  }

  @Test func `Empty and large requests of a member pass, and a larger one is not even sent`() async throws {
    let pool = try TestHosts()
    try await withServer(PeerCredentials(pool.credentials(0)), ReversingService()) { endpoint in
      func call(_ size: Int) async throws -> [UInt8] {
        var request = [UInt8](repeating: 5, count: size)
        if size > 0 { request[0] = 6 }
        return try await PeerClient.call(
          endpoint, credentials: pool.credentials(1), expecting: .anyMember, request: request, timeout: .seconds(50))
      }
      let empty = try await call(0)
      #expect(empty == [])
      let large = try await call(PeerLimits.maximumMessage - 1)
      #expect(large.count == PeerLimits.maximumMessage - 1 && large.last == 6)
      // The answer has one byte before it, so the longest request can be sent but not sent back.
      guard case .refused(_, let sentence)? = await callFailure({ try await call(PeerLimits.maximumMessage) }) else {
        Issue.record("not refused")
        return
      }
      #expect(sentence.contains("more than one message can carry"))
      #expect(
        await callFailure { try await call(PeerLimits.maximumMessage + 1) }
          == .requestTooLong(PeerLimits.maximumMessage + 1))
    }
  }

  @Test func `A joiner with the right pin is served as a stranger by its key`() async throws {
    let pool = try TestHosts()
    let service = ReversingService()
    let joiner = HostIdentity()
    try await withServer(PeerCredentials(pool.credentials(0)), service) { endpoint in
      let answer = try await PeerClient.call(
        endpoint, credentials: TLSCredentials(stranger: joiner), expecting: .pinnedCA(pool.ca.fingerprint),
        request: [1, 2], timeout: .seconds(20))
      #expect(answer == [2, 1])
    }
    #expect(service.principals == [.stranger(joiner.publicKey)])
  }

  @Test func `A stranger's request of more than 64 KiB is refused, with a sentence on both sides`() async throws {
    let pool = try TestHosts()
    let service = ReversingService()
    try await withServer(PeerCredentials(pool.credentials(0)), service) { endpoint in
      func call(_ size: Int) async throws -> [UInt8] {
        try await PeerClient.call(
          endpoint, credentials: TLSCredentials(stranger: HostIdentity()), expecting: .pinnedCA(pool.ca.fingerprint),
          request: [UInt8](repeating: 0, count: size), timeout: .seconds(20))
      }
      let longest = try await call(PeerLimits.maximumStrangerMessage)
      #expect(longest.count == PeerLimits.maximumStrangerMessage)
      // Long enough that the server has not read all of it when it answers.
      for size in [PeerLimits.maximumStrangerMessage + 1, 8 << 20] {
        let sentence = "A request of \(size) bytes is too long here: 65536 are allowed."
        #expect(await callFailure { try await call(size) } == .refused(endpoint, sentence: sentence))
        let told = await service.nextRefusal()
        #expect(told == sentence)
      }
    }
    #expect(service.principals.count == 1)
  }

  @Test func `A joiner with a wrong pin sends nothing, and both sides say why`() async throws {
    let (pool, other) = (try TestHosts(), try TestHosts(name: "west"))
    let service = ReversingService()
    try await withServer(PeerCredentials(pool.credentials(0)), service) { endpoint in
      let failure = await callFailure {
        try await PeerClient.call(
          endpoint, credentials: TLSCredentials(stranger: HostIdentity()), expecting: .pinnedCA(other.ca.fingerprint),
          request: [1], timeout: .seconds(20))
      }
      #expect(failure == .untrusted(endpoint, .otherCA(poolName: "east")))
      let told = await service.nextRefusal()
      #expect(told.contains("does not accept this host's certificate"))
    }
    #expect(service.principals.isEmpty)
  }

  @Test func `A host of another pool is told so by the server, and nothing of it reaches the service`() async throws {
    let (pool, other) = (try TestHosts(), try TestHosts(name: "west"))
    let service = ReversingService()
    try await withServer(PeerCredentials(pool.credentials(0)), service) { endpoint in
      // It gets as far as that only with the pin of a token; as a member of its own pool it would not talk at all.
      let failure = await callFailure {
        try await PeerClient.call(
          endpoint, credentials: other.credentials(0), expecting: .pinnedCA(pool.ca.fingerprint), request: [1],
          timeout: .seconds(20))
      }
      #expect(failure == .refused(endpoint, sentence: TrustError.otherPool(name: "west").description))
      let told = await service.nextRefusal()
      #expect(told == TrustError.otherPool(name: "west").description)
      let member = await callFailure {
        try await PeerClient.call(
          endpoint, credentials: other.credentials(0), expecting: .anyMember, request: [1], timeout: .seconds(20))
      }
      #expect(member == .untrusted(endpoint, .untrusted(.otherPool(name: "east"))))
    }
    #expect(service.principals.isEmpty)
  }

  @Test func `An evicted host that does not know it yet learns it from the server's answer`() async throws {
    var pool = try TestHosts()
    let evicted = try pool.credentials(2)
    let id = pool.id(2)
    try pool.evictLast()
    let service = ReversingService()
    try await withServer(PeerCredentials(pool.credentials(0)), service) { endpoint in
      // Small and large: the answer must arrive even while the request is still being sent.
      for size in [1, 8 << 20] {
        let failure = await callFailure {
          try await PeerClient.call(
            endpoint, credentials: evicted, expecting: .anyMember, request: [UInt8](repeating: 0, count: size),
            timeout: .seconds(20))
        }
        #expect(failure == .refused(endpoint, sentence: TrustError.revoked(id).description))
        let told = await service.nextRefusal()
        #expect(told == TrustError.revoked(id).description)
      }
    }
    #expect(service.principals.isEmpty)
  }

  @Test func `An evicted host does not come back as a stranger under its old key`() async throws {
    var pool = try TestHosts()
    let stranger = try TLSCredentials(stranger: pool.identities[2])
    let id = pool.id(2)
    try pool.evictLast()
    let (service, pin) = (ReversingService(), pool.ca.fingerprint)
    try await withServer(PeerCredentials(pool.credentials(0)), service) { endpoint in
      let failure = await callFailure {
        try await PeerClient.call(
          endpoint, credentials: stranger, expecting: .pinnedCA(pin), request: [1], timeout: .seconds(20))
      }
      #expect(failure == .refused(endpoint, sentence: TrustError.revoked(id).description))
    }
    #expect(service.principals.isEmpty)
  }

  @Test func `A host that was away during an eviction can still ask and be asked`() async throws {
    var pool = try TestHosts()
    let away = try pool.credentials(1)
    try pool.evictLast()
    let present = try pool.credentials(0)
    for (server, client) in [(present, away), (away, present)] {
      try await withServer(PeerCredentials(server), ReversingService()) { endpoint in
        let answer = try await PeerClient.call(
          endpoint, credentials: client, expecting: .host(server.host), request: [1, 2], timeout: .seconds(20))
        #expect(answer == [2, 1])
      }
    }
  }

  @Test func `Credentials that are replaced count at once, for new callers and for old ones`() async throws {
    var pool = try TestHosts()
    let evicted = try pool.credentials(2)
    let id = pool.id(2)
    let credentials = PeerCredentials(try TLSCredentials(stranger: pool.identities[0]))
    let before = try pool.credentials(0)
    try pool.evictLast()
    let after = try pool.credentials(0)
    let pin = pool.ca.fingerprint
    try await withServer(credentials, ReversingService()) { endpoint in
      func call() async throws -> [UInt8] {
        try await PeerClient.call(
          endpoint, credentials: evicted, expecting: .anyMember, request: [1, 2], timeout: .seconds(20))
      }
      #expect(await callFailure(call) == .untrusted(endpoint, .notJoined(after.host)))
      credentials.replace(with: before)
      #expect(try await call() == [2, 1])
      credentials.replace(with: after)
      #expect(await callFailure(call) == .refused(endpoint, sentence: TrustError.revoked(id).description))
      let joiner = try TLSCredentials(stranger: HostIdentity())
      #expect(
        try await PeerClient.call(
          endpoint, credentials: joiner, expecting: .pinnedCA(pin), request: [1, 2], timeout: .seconds(20)) == [2, 1])
    }
  }

  @Test func `Another member at the address is not taken for the host that was expected`() async throws {
    let pool = try TestHosts()
    try await withServer(PeerCredentials(pool.credentials(0)), ReversingService()) { endpoint in
      let failure = await callFailure {
        try await PeerClient.call(
          endpoint, credentials: pool.credentials(1), expecting: .host(pool.id(2)), request: [1], timeout: .seconds(20))
      }
      #expect(failure == .untrusted(endpoint, .otherHost(expected: pool.id(2), found: pool.id(0))))
    }
  }

  @Test func `A server whose endpoint changes listens at the new one and tells what keeps it from that`() async throws {
    let pool = try TestHosts()
    let credentials = PeerCredentials(try pool.credentials(0))
    let listening = ListeningEndpoint(Endpoint(address: .v4(0x7f5b_0801), port: 0))
    let (endpoints, input) = AsyncStream.makeStream(of: Endpoint.self)
    let server = PeerServer(
      endpoint: listening, credentials: credentials, service: ReversingService(),
      logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }, whenListening: { input.yield($0) })
    let client = try pool.credentials(1)
    @Sendable func call(_ endpoint: Endpoint) async throws -> [UInt8] {
      try await PeerClient.call(
        endpoint, credentials: client, expecting: .anyMember, request: [1, 2, 3], timeout: .seconds(20))
    }
    try await withThrowingTaskGroup(of: Void.self) { group in
      group.addTask { try await server.run() }
      var uses = endpoints.makeAsyncIterator()
      let first = try #require(await uses.next())
      #expect(try await call(first) == [3, 2, 1])

      // Not an address of this machine: it goes on where it is, and says why.
      let foreign = IPAddress.v4(0xc000_0263)
      listening.move(to: Endpoint(address: foreign, port: first.port))
      while listening.failure == nil { await Task.yield() }
      #expect(listening.failure?.contains("192.0.2.99 is not an address of this host") == true)
      #expect(try await call(first) == [3, 2, 1])

      let wanted = Endpoint(address: .v4(0x7f5b_0802), port: first.port)
      listening.move(to: wanted)
      #expect(await uses.next() == wanted)
      #expect(try await call(wanted) == [3, 2, 1])
      while listening.failure != nil { await Task.yield() }
      #expect(try await isClosed(first, to: client))
      group.cancelAll()
    }
  }

  @Test func `A taken port and a foreign address are named`() async throws {
    let pool = try TestHosts()
    let credentials = PeerCredentials(try pool.credentials(0))
    try await withServer(credentials, ReversingService()) { endpoint in
      for (wanted, expected) in [
        (endpoint, PeerServerError.portTaken(endpoint)),
        (
          Endpoint(address: .v4(0xc000_0201), port: 7677), .addressNotHere(.v4(0xc000_0201))
        ),
      ] {
        let server = PeerServer(
          endpoint: ListeningEndpoint(wanted), credentials: credentials, service: ReversingService(),
          logger: .init(label: "test"))
        do {
          try await server.run()
          Issue.record("it listens")
        } catch {
          #expect(error as? PeerServerError == expected)
        }
      }
    }
  }
}
