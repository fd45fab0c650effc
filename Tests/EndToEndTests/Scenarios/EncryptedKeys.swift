import Glibc
import Testing

extension EndToEnd.Encrypted {
  /// Keys that change, or cannot, under traffic.
  @Suite struct Keys {
    /// A pool of hosts with a network of each encapsulation, and a guest of each network on each host.
    private func withNetworks(
      _ hosts: Int, isV6: Bool, _ scenario: (TestPool, [[Guest]]) throws -> Void
    ) throws {
      try withPool(hosts, isV6: isV6) { pool in
        var guests: [[Guest]] = []
        for encapsulation in Carriage.Encapsulation.allCases {
          let network = try pool.encryptedNetwork(encapsulation.rawValue, encapsulation)
          guests.append(try (1...hosts).map { try pool.guest(on: pool[$0], network) })
        }
        for members in guests { try expectAllReach(members) }
        try pool.expectKeys()
        let witness = try Witness(pool)
        try scenario(pool, guests)
        try witness.stop().expectSealed([Array("weft test:".utf8)], atLeast: 100)
      }
    }

    /// The same with a pool over each family of the underlay at once: what takes its time takes it once.
    private func withBothFamilies(
      _ hosts: Int, _ scenario: ([(pool: TestPool, guests: [[Guest]])]) throws -> Void
    ) throws {
      try withNetworks(hosts, isV6: false) { pool, guests in
        try withNetworks(hosts, isV6: true) { other, others in try scenario([(pool, guests), (other, others)]) }
      }
    }

    /// Pings from each guest of a network to the next one, so between every two neighbours in both directions; marked. A
    /// slower machine pings less often: what came while it stood still has to fit into the buffer of a socket.
    private func pings(_ guests: [[Guest]], every seconds: Double, in pool: TestPool) throws -> [ContinuousPing] {
      let mark = Array("weft test: ping;".utf8)
      return try guests.flatMap { members in
        try members.indices.map { index in
          let next = members[(index + 1) % members.count]
          return try members[index].ping(next.ipv4, every: seconds * TestRun.patience, mark: mark, in: pool)
        }
      }
    }

    @Test(
      "A rekey asked for every second for a minute, at each host in turn, loses no ping of a flood",
      arguments: [false, true])
    func rekeyEverySecond(isV6: Bool) throws {
      try withNetworks(3, isV6: isV6) { pool, guests in
        let first = try pool.epochs()
        let pings = try pings(guests, every: 0.01, in: pool)
        for ping in pings { try ping.proceed(20) }
        let start = Clock.now
        var orders = 0
        while Clock.now < start + 60 {
          let next = start + Double(orders + 1)
          try pool[orders % 3 + 1].weft("pool", "rekey")
          orders += 1
          while Clock.now < next { usleep(10_000) }
        }
        for ping in pings {
          try ping.proceed(20)
          let report = try ping.stop()
          print("\(orders) rekeys: \(report)")
          #expect(report.lost == 0, "\(report); drops: \(pool.ipsecDrops())")
          #expect(report.duplicates == 0, "\(report)")
        }
        // An order is for every host; one that comes while the last keys are drawn waits for a second.
        for (before, after) in zip(first, try pool.epochs()) {
          #expect(after >= before + UInt64(orders / 2), "\(orders) orders drew keys \(before) to \(after)")
        }
        try pool.expectKeys(within: 70)
      }
    }

    /// All else of the two hosts goes by the third one, so what is lost is what they say of their SAs, which nobody passes
    /// on.
    @Test(
      "While a host's gossip to another is lost for 90 s, rekeys wait and no ping is lost; then they are made up for")
    func oneWayCut() throws {
      try withBothFamilies(3) { both in
        let running = try both.map { try pings($0.guests, every: 0.02, in: $0.pool) }
        for ping in running.joined() { try ping.proceed(20) }
        for (pool, _) in both { try pool.loseGossip(from: pool[2], to: pool[1]) }
        let end = Clock.now + 90
        while Clock.now < end {
          for (pool, _) in both { _ = try pool[1].attempt("pool", "rekey") }
          usleep(5_000_000)
        }
        for ping in running.joined() { try ping.proceed(20) }
        for (pool, _) in both {
          let held = try #require(try pool[1].keys())
          #expect(held.pending + held.waiting == 1 && held.established == 1, "nothing was held up: \(held)")
          try pool.endSilence()
        }
        for (pool, _) in both {
          try pool.settle(within: 30)
          try pool[1].weft("pool", "rekey")
          try pool.expectKeys(within: 70)
        }
        for (pings, (pool, _)) in zip(running, both) {
          for ping in pings {
            try ping.proceed(20)
            let report = try ping.stop()
            #expect(report.lost == 0, "\(report); drops: \(pool.ipsecDrops())")
          }
        }
      }
    }

    @Test("A host whose underlay address changes goes on with new keys at the new one", arguments: [false, true])
    func addressChange(isV6: Bool) throws {
      let pool = try TestPool(isV6: isV6)
      defer { pool.tearDown() }
      do {
        for _ in 0..<3 { try pool.addHost().underlayFlag = "eth0" }
        for host in pool.hosts { try host.start() }
        try pool[1].weft("pool", "init", "--name", "lab")
        for host in pool.hosts.dropFirst() { try pool.join(host, through: pool[1]) }
        try pool.settle()
        let guests = try Carriage.Encapsulation.allCases.map { encapsulation in
          let network = try pool.encryptedNetwork(encapsulation.rawValue, encapsulation)
          return try (1...3).map { try pool.guest(on: pool[$0], network) }
        }
        for members in guests { try expectAllReach(members) }
        let witness = try Witness(pool)
        let pings = try pings(guests, every: 0.01, in: pool)
        for ping in pings { try ping.proceed(20) }
        try pool.renumber(pool[1], to: pool.address(0x51))
        for (index, ping) in pings.enumerated() {
          try ping.proceed(50, within: 20)
          let report = try ping.stop()
          print("underlay address changed, \(isV6 ? "IPv6" : "IPv4"): \(report)")
          if index % 3 == 1 {
            #expect(report.lost == 0, "between two other hosts: \(report); drops: \(pool.ipsecDrops())")
          } else {
            #expect(report.gap < 5 * TestRun.patience, "\(report)")
          }
        }
        try pool.settle()
        try pool.expectKeys()
        for members in guests { try expectAllReach(members) }
        try witness.stop().expectSealed([Array("weft test:".utf8)], atLeast: 100)
      } catch {
        pool.printLogs()
        throw error
      }
    }

    @Test("A host that is evicted is cut off at once, and nothing of it is heard in clear", arguments: [false, true])
    func eviction(isV6: Bool) throws {
      try withNetworks(3, isV6: isV6) { pool, guests in
        let pings = try guests.flatMap { members in
          try [(2, 0), (1, 2)].map { try members[$0].ping(members[$1].ipv4, every: 0.01, in: pool) }
        }
        for ping in pings { try ping.proceed(20) }
        var now = timespec()
        clock_gettime(CLOCK_REALTIME, &now)
        let start = Double(now.tv_sec) + Double(now.tv_nsec) / 1e9
        try pool[1].weft("host", "evict", "host3")
        try eventually(within: 2, "the evicted host is cut off") { !guests[0][0].reaches(guests[0][2].ipv4) }
        for ping in pings {
          let report = try ping.stop()
          print("evicted: the last answer \(Int((report.last - start) * 1000)) ms after the order")
          #expect(report.last - start < 2 * TestRun.patience, "still answered \(report.last - start) s after the order")
        }
        for members in guests { try expectAllReach(Array(members[0...1])) }
        try always(for: 2, "nothing goes to or from the evicted host") {
          guests.allSatisfy { !$0[0].reaches($0[2].ipv4) && !$0[2].reaches($0[1].ipv4) }
        }
      }
    }
  }
}
