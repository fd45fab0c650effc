import Glibc
import Testing
import Wire

extension EndToEnd {
  @Suite struct Replay {
    /// All that a host shows of the pool, and the forwarding entries of its kernel.
    private static func state(_ host: TestHost, _ network: NetworkView) throws -> [String] {
      let entries = try host.namespace.fdb(host.device(of: network)).map {
        "\($0.mac) \($0.dst ?? "") \($0.master ?? "")"
      }
      return try [
        host.weft("host", "list", "--json"), host.weft("network", "list", "--json"), host.weft("mac", "list", "--json"),
      ] + entries.sorted()
    }

    /// Datagrams that the agent dropped, each with a line in its log.
    private static func dropped(_ host: TestHost) -> Int {
      Files.text(host.log).split(separator: "\n").count { $0.contains("] dropped") }
    }

    @Test(
      "Everything sealed that was ever sent, sent again after an agent's restart to everyone, changes nothing anywhere")
    func acrossBoots() throws {
      try withHosts(3) { pool in
        let recorder = try GossipRecorder(pool)
        for host in pool.hosts {
          host.moreFlags = ["--log-level", "debug"]
          try host.start()
        }
        try pool[1].weft("pool", "init", "--name", "lab")
        for host in pool.hosts.dropFirst() { try pool.join(host, through: pool[1]) }
        try pool.settle()
        // What a replay could bring back: a network, a place of a MAC, a VIF.
        let blue = try pool.network("blue")
        try pool.network("gone")
        let guests = try (1...3).map { try pool.guest(on: pool[$0], blue) }
        for target in [2, 3, 1] {
          try guests[0].migrate(to: pool[target], blue)
          try pool.expect(guests[0].mac, in: blue, on: pool[target])
        }
        let visitor = try pool.guest(on: pool[2], blue)
        try pool.expect(visitor.mac, in: blue, on: pool[2])
        try visitor.unplug(try #require(visitor.connected()))
        try pool[1].weft("network", "delete", "gone")
        recorder.collect()
        let beforeRestart = recorder.datagrams.count

        try pool[1].stopAgent()
        try pool[1].start()
        try pool.settle()
        for guest in guests { try pool.expect(guest.mac, in: blue, on: pool[guest.number]) }
        // Every pair has talked in the new boots.
        try eventually(within: 15, "each host has sent to each other one since the restart") {
          recorder.collect()
          return Set(
            recorder.datagrams[beforeRestart...].filter { $0.header != nil }.map { $0.source + $0.destination }
          )
          .count == 6
        }
        var before: [[String]] = []
        var since = Clock.now
        try eventually(within: 30, "the pool has come to rest") {
          let now = try pool.hosts.map { try Self.state($0, blue) }
          if now != before { (before, since) = (now, Clock.now) }
          return Clock.now - since > 2
        }
        recorder.collect()
        let recorded = recorder.datagrams.filter { $0.header != nil }
        try #require(recorder.datagrams[..<beforeRestart].count { $0.header != nil } > 50)

        let macs = try pool.hosts.map { host in
          try #require(try host.namespace.link("eth0")?.address).split(separator: ":").compactMap {
            UInt8($0, radix: 16)
          }
        }
        let addresses = pool.hosts.map { $0.address.split(separator: ".").compactMap { UInt8($0) } }
        let ports = try pool.hosts.map { try PacketSocket(in: pool.underlay, device: $0.underlayPort) }
        let droppedBefore = pool.hosts.map(Self.dropped)
        var sent = [0, 0, 0]
        func send(_ datagram: RecordedDatagram, to index: Int, from sender: [UInt8]) throws {
          try ports[index].send(datagram.frame(to: macs[index], addresses[index], from: sender))
          sent[index] += 1
        }
        for datagram in recorded {
          for index in 0..<3 where addresses[index] != datagram.source {
            try send(datagram, to: index, from: datagram.source)
          }
          // And back to its sender, as if the receiver had sent it.
          if let index = addresses.firstIndex(of: datagram.source) {
            try send(datagram, to: index, from: datagram.destination)
          }
        }
        for (index, host) in pool.hosts.enumerated() {
          try eventually(within: 20, "\(host.name) has dropped all \(sent[index]) packets that came again") {
            Self.dropped(host) - droppedBefore[index] >= sent[index]
          }
        }
        try always(for: 2, "nothing has changed") {
          recorder.collect()
          return try pool.hosts.map { try Self.state($0, blue) } == before
        }
        try expectAllReach(guests)
        try pool.settle(within: 1)

        recorder.collect()
        var check = NonceCheck()
        check.add(recorder.datagrams)
        #expect(check.repeats.isEmpty, "\(check.repeats)")
        let boots = Set(recorder.datagrams.compactMap(\.header).map(\.senderBoot))
        #expect(boots.count == 4, "three hosts, and one of them in two boots: \(boots)")
        print("\(check.count) sealed packets without a repeated nonce; \(sent.reduce(0, +)) sent again and dropped")
        // The check does find one.
        let twice = try #require(recorded.first)
        check.add([twice])
        #expect(check.repeats == [twice.header])
      }
    }
  }
}
