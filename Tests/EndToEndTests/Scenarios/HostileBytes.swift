import Glibc
import Testing
import Wire

extension EndToEnd {
  @Suite struct HostileBytes {
    @Test("Garbage, oversize, truncated, mutated, replayed and misdirected datagrams on the gossip port change nothing")
    func gossipPort() throws {
      try withPool(3) { pool in
        let blue = try pool.network("blue")
        let guests = try (1...2).map { try pool.guest(on: pool[$0], blue) }
        try expectAllReach(guests)
        let capture = try pool.start(
          ["tcpdump", "-i", "eth0", "-n", "-U", "-w", pool.path("gossip.pcap"), "udp", "port", "7677"],
          in: pool[1].namespace, name: "tcpdump")
        try eventually(within: 15, "some gossip is captured") {
          Capture.datagrams(Files.read(pool.path("gossip.pcap"))).count >= 12
        }
        capture.signal(SIGTERM)
        capture.wait(within: 5)
        let real = Capture.datagrams(Files.read(pool.path("gossip.pcap")))
        let ping = try guests[0].ping(guests[1].ipv4, every: 0.01, in: pool)
        let identities = try pool[1].hosts().map { "\($0.id) \($0.name)" }

        var random = SeededGenerator(seed: 7)
        // From a host that is no member, from one that is but did not write them, and to hosts they were not meant for.
        let outsider = try pool.addHost()
        let senders = try [outsider, pool[3]].map { try DatagramSocket(in: $0.namespace) }
        for sender in senders {
          for target in pool.hosts.prefix(2) {
            for size in [0, 1, 2, 15, 16, 17, 40, 64, 200, 1400, 1401, 1472, 9000, 65_000] {
              for _ in 0..<8 {
                sender.send(
                  (0..<size).map { _ in UInt8.random(in: 0...255, using: &random) }, to: target.address, port: 7677)
              }
            }
            for datagram in real {
              sender.send(datagram, to: target.address, port: 7677)
              sender.send(Array(datagram.dropLast()), to: target.address, port: 7677)
              sender.send(
                Array(datagram.prefix(Int.random(in: 0...datagram.count, using: &random))), to: target.address,
                port: 7677)
              sender.send(datagram + [0], to: target.address, port: 7677)
              for _ in 0..<8 where !datagram.isEmpty {
                var changed = datagram
                changed[Int.random(in: 0..<changed.count, using: &random)] ^= UInt8.random(in: 1...255, using: &random)
                sender.send(changed, to: target.address, port: 7677)
              }
            }
          }
        }
        try ping.proceed(50)
        #expect(try ping.stop().lost == 0)
        #expect(try pool[1].hosts().map { "\($0.id) \($0.name)" } == identities)
        for host in pool.hosts.prefix(3) {
          let views = try host.hosts()
          #expect(views.allSatisfy { $0.state == "alive" }, "\(host.name): \(views)")
        }
        // The pool still learns.
        try guests[0].migrate(to: pool[3], blue)
        try pool.expect(guests[0].mac, in: blue, on: pool[3])
      }
    }

    @Test("Garbage on the port of join and sync, and connections that say nothing, leave the pool working")
    func joinPort() throws {
      try withPool(2) { pool in
        let outsider = try pool.addHost()
        let garbage = pool.path("garbage")
        var random = SeededGenerator(seed: 11)
        for size in [1, 5, 300, 20_000] {
          try Files.write((0..<size).map { _ in UInt8.random(in: 0...255, using: &random) }, to: garbage)
          _ = try run(
            outsider.namespace.command(["socat", "-t", "0.2", "-u", "FILE:\(garbage)", "TCP:\(pool[1].address):7677"]),
            within: 10)
        }
        // Two hundred connections that never say a word.
        let silent = try (0..<4).map { index in
          try pool.start(
            ["bash", "-c", "for i in $(seq 50); do exec {fd}<>/dev/tcp/\(pool[1].address)/7677; done; sleep 60"],
            in: outsider.namespace, name: "silent\(index)")
        }
        try eventually("the connections stand") {
          try outsider.namespace.execute("ss", "-Htn").split(separator: "\n").count >= 100
        }
        let joiner = try pool.addHost()
        try joiner.start()
        try pool.join(joiner, through: pool[1])
        try pool.network("blue")
        for child in silent { child.signal(SIGKILL) }
      }
    }

    @Test(
      "HTTP garbage and unknown fields on the socket get an answer that says what is wrong, and nothing more happens")
    func apiSocket() throws {
      try withPool(1) { pool in
        let host = pool[1]
        func say(_ text: String) throws -> String {
          try Files.write(text.utf8, to: pool.path("request"))
          return try run(
            ["socat", "-t", "3", "STDIO", "UNIX-CONNECT:\(host.socket)"], within: 10, input: pool.path("request")
          ).output
        }
        func post(_ path: String, _ body: String) throws -> String {
          try say(
            "POST \(path) HTTP/1.1\r\nHost: weft\r\nContent-Type: application/json\r\n"
              + "Content-Length: \(body.utf8.count)\r\nConnection: close\r\n\r\n\(body)")
        }
        let unknown = try post("/v1/networks", #"{"name":"blue","encryption":"off","colour":"dark"}"#)
        #expect(unknown.hasPrefix("HTTP/1.1 4") && unknown.contains("colour"), "\(unknown)")
        let torn = try post("/v1/networks", #"{"name":"#)
        #expect(torn.hasPrefix("HTTP/1.1 400"), "\(torn)")
        let wrongType = try post("/v1/networks", #"{"name":7}"#)
        #expect(wrongType.hasPrefix("HTTP/1.1 4") && wrongType.contains("name"), "\(wrongType)")
        let large = try post("/v1/networks", #"{"name":""# + String(repeating: "a", count: 70_000) + #""}"#)
        #expect(large.isEmpty || large.hasPrefix("HTTP/1.1 4"), "\(large.prefix(200))")
        let nowhere = try say("GET /v1/nothing HTTP/1.1\r\nHost: weft\r\nConnection: close\r\n\r\n")
        #expect(nowhere.hasPrefix("HTTP/1.1 404"), "\(nowhere)")
        for garbage in [
          "\u{0}\u{1}\u{2}\r\n\r\n", "GET\r\n\r\n", "HELO there\r\n", String(repeating: "x", count: 200_000),
        ] {
          _ = try say(garbage)
        }
        #expect(try host.networks().isEmpty)
        try pool.network("blue")
      }
    }
  }
}

/// The UDP payloads of a capture file of Ethernet with IPv4 (libpcap's format, in this machine's byte order).
enum Capture {
  static func datagrams(_ file: [UInt8]) -> [[UInt8]] {
    var rest = file.dropFirst(24)
    var datagrams: [[UInt8]] = []
    while rest.count >= 16 {
      let start = rest.startIndex
      let length = (0..<4).reduce(0) { $0 | Int(rest[start + 8 + $1]) << (8 * $1) }
      rest = rest.dropFirst(16)
      guard rest.count >= length else { break }
      let frame = Array(rest.prefix(length))
      rest = rest.dropFirst(length)
      guard frame.count > 42, frame[12] == 8, frame[13] == 0 else { continue }
      let payload = 14 + Int(frame[14] & 15) * 4 + 8
      let end = 14 + (Int(frame[16]) << 8 | Int(frame[17]))
      if payload < end, end <= frame.count { datagrams.append(Array(frame[payload..<end])) }
    }
    return datagrams
  }
}
