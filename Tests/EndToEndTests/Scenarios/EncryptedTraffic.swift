import Glibc
import Testing

extension EndToEnd.Encrypted {
  @Suite struct Traffic {
    private static let mark = Array("weft-is-unseen!!".utf8)

    @Test(
      "All that guests send crosses in ESP only: ping, TCP, floods, full size, a live move, a killed agent, a rekey",
      arguments: Carriage.all)
    func everything(_ carriage: Carriage) throws {
      try withPool(3, isV6: carriage.isV6) { pool in
        let blue = try pool.encryptedNetwork("blue", carriage.encapsulation)
        let guests = try (1...3).map { try pool.guest(on: pool[$0], blue) }
        try expectAllReach(guests)
        try pool.expectKeys()

        let sealed = try Witness(pool)
        try marked(guests, blue)
        try keep("\(blue.vni)", as: "\(carriage.testDescription).vni", in: pool)
        for host in pool.hosts {
          let states = try host.namespace.ip("xfrm", "state")
          try keep(states, as: "\(carriage.testDescription).\(host.name).xfrm", in: pool)
        }
        try sealed.stop(keepingAs: "\(carriage.testDescription).pcap").expectSealed([Self.mark], atLeast: 50)

        let witness = try Witness(pool)
        try floods(guests)
        try stream(from: guests[0], to: guests[2], in: pool)
        try move(guests, blue, in: pool)
        try kill(pool[1], under: guests, in: pool)
        try rekey(guests, in: pool)
        try witness.stop().expectSealed([Self.mark, Array("weft test:".utf8)], atLeast: 500)
      }
    }

    /// Pings that carry the mark between every two guests, and of full size.
    private func marked(_ guests: [Guest], _ network: NetworkView) throws {
      let pattern = Self.mark.map { hexByte(Int($0)) }.joined()
      for from in guests {
        for to in guests where to !== from {
          try from.namespace.execute("ping", "-n", "-q", "-c", "5", "-i", "0.01", "-p", pattern, to.ipv4)
        }
      }
      // 20 bytes of IPv4 and 8 of ICMP; -M do: never in fragments.
      try guests[0].namespace.execute(
        "ping", "-n", "-q", "-c", "3", "-i", "0.05", "-M", "do", "-s", "\(network.mtu - 28)", "-p", pattern,
        guests[1].ipv4)
    }

    /// What another program needs to open the packets that were seen: see `Tests/Lab/open-esp.py`.
    private func keep(_ text: String, as name: String, in pool: TestPool) throws {
      let path = pool.path(name)
      try Files.write(text.utf8, to: path)
      try TestRun.keep(path, as: name)
    }

    private func floods(_ guests: [Guest]) throws {
      let wires = try guests.map { try $0.wire() }
      for (what, destination) in [("broadcast", Frame.broadcast), ("multicast", "01:00:5e:01:02:03")] {
        let mark = Frame.mark(what)
        try guests[0].socket().send(Frame.ethernet(to: destination, from: guests[0].mac, payload: mark))
        for index in [1, 2] {
          #expect(wires[index].receive(1, marked: mark, within: 3).count == 1, "\(what) reaches guest \(index + 1)")
          #expect(wires[index].receive(marked: mark, within: 0.2).isEmpty, "\(what) came twice to guest \(index + 1)")
        }
      }
    }

    private func stream(from client: Guest, to server: Guest, in pool: TestPool) throws {
      let (sent, received) = (pool.path("sent"), pool.path("received"))
      let bytes = [[UInt8]](repeating: Self.mark, count: 1 << 14).flatMap { $0 }
      try Files.write(bytes, to: sent)
      let listener = try pool.start(
        ["socat", "-u", "TCP4-LISTEN:5001,reuseaddr", "OPEN:\(received),creat,trunc"], in: server.namespace,
        name: "server")
      try eventually("the server listens") { try server.namespace.execute("ss", "-Hltn").contains(":5001") }
      try client.namespace.execute("socat", "-u", "OPEN:\(sent)", "TCP4:\(server.ipv4):5001")
      #expect(listener.wait(within: 20) == 0)
      #expect(Files.read(received) == bytes, "256 KiB by TCP")
    }

    private func move(_ guests: [Guest], _ network: NetworkView, in pool: TestPool) throws {
      let ping = try guests[2].ping(guests[0].ipv4, every: 0.02, mark: Self.mark, in: pool)
      try ping.proceed(30)
      try guests[0].migrate(to: pool[2], network)
      try pool.expect(guests[0].mac, in: network, on: pool[2], vif: guests[0].connected())
      try ping.proceed(30)
      let report = try ping.stop()
      print("live move: \(report)")
      #expect(report.gap < TestRun.patience, "\(report)")
      #expect(report.duplicates == 0, "\(report)")
      try guests[0].migrate(to: pool[1], network)
      try pool.expect(guests[0].mac, in: network, on: pool[1], vif: guests[0].connected())
    }

    private func kill(_ host: TestHost, under guests: [Guest], in pool: TestPool) throws {
      let pings = try [(0, 1), (2, 0)].map {
        try guests[$0].ping(guests[$1].ipv4, every: 0.02, mark: Self.mark, in: pool)
      }
      for ping in pings { try ping.proceed(20) }
      host.crashAgent()
      if TestRun.path.outlivesAgent { for ping in pings { try ping.proceed(50) } }
      try host.start()
      try pool.settle()
      try pool.expectKeys()
      for ping in pings {
        try ping.proceed(50)
        try ping.stop().expectAgentRestart("drops: \(pool.ipsecDrops())")
      }
    }

    private func rekey(_ guests: [Guest], in pool: TestPool) throws {
      let before = try pool[2].keys()?.epoch ?? 0
      let ping = try guests[1].ping(guests[2].ipv4, every: 0.01, mark: Self.mark, in: pool)
      try ping.proceed(20)
      try pool[1].weft("pool", "rekey")
      try eventually("host2 has drawn new keys") { try pool[2].keys()?.epoch ?? 0 > before }
      try pool.expectKeys()
      try ping.proceed(50)
      let report = try ping.stop()
      #expect(report.lost == 0, "rekey: \(report); drops: \(pool.ipsecDrops())")
    }
  }
}
