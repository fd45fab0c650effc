import Glibc
import Testing

extension EndToEnd {
  @Suite struct Repair {
    @Test("A tunnel that someone deletes by hand is back at once, with all its entries")
    func tunnelDeleted() throws {
      try withPool(2) { pool in
        let blue = try pool.network("blue")
        let guests = try (1...2).map { try pool.guest(on: pool[$0], blue) }
        try expectAllReach(guests)
        for _ in 0..<3 {
          try pool[1].namespace.ip("link", "del", pool[1].device(of: blue))
          try eventually(within: 5, "the tunnel and its entries are back") {
            guard try pool[1].namespace.link(pool[1].device(of: blue)) != nil else { return false }
            let remote = try pool[1].remote(guests[1].mac, in: "blue")
            return try remote == pool[2].address && pool[1].floodList("blue").contains(pool[2].address)
          }
        }
        try expectAllReach(guests, within: 3)
      }
    }

    @Test("A host whose underlay became too small for a network says so, and keeps its guests' broadcasts")
    func underlayTooSmall() throws {
      try withPool(2) { pool in
        let blue = try pool.network("blue")
        let guests = try (1...2).map { try pool.guest(on: pool[$0], blue) }
        try expectAllReach(guests)
        try pool[2].namespace.ip("link", "set", "eth0", "mtu", "1400")
        try eventually(within: 10, "the shortage is shown on host1") {
          let status = try JSON.decode(PoolView.self, from: pool[1].weft("pool", "status", "--json"))
          return try status.problems.contains { $0.contains("host2") && $0.contains("1400") }
            && pool[1].network("blue").state == "degraded"
        }
        #expect(try pool[1].floodList("blue") == [pool[2].address])
        try expectAllReach(guests)
        try pool[2].namespace.ip("link", "set", "eth0", "mtu", "1500")
        try eventually(within: 10, "all is well again") { try pool[1].network("blue").state == "ok" }
      }
    }

    @Test("A VIF that is renamed in its bridge is the VIF of its new name, and of no other")
    func vifRenamed() throws {
      try withPool(2) { pool in
        let blue = try pool.network("blue")
        let guests = try (1...2).map { try pool.guest(on: pool[$0], blue) }
        try expectAllReach(guests)
        let vif = try #require(guests[0].connected())
        let host = pool[1].namespace
        try host.ip("link", "set", vif.name, "down")
        try host.ip("link", "set", vif.name, "name", "vif99.0")
        try host.ip("link", "set", "vif99.0", "up")
        try eventually(within: 5, "the MAC is live at the new name") {
          try guests[0].announce()
          return try pool[2].binding(guests[0].mac, in: "blue")?.vif == "vif99.0"
        }
        try host.ip("link", "set", "vif99.0", "down")
        try host.ip("link", "set", "vif99.0", "name", vif.name)
        try host.ip("link", "set", vif.name, "up")
        try eventually(within: 5, "and at the old name again") {
          try guests[0].announce()
          return try pool[2].binding(guests[0].mac, in: "blue")?.vif == vif.name
        }
        try expectAllReach(guests)
      }
    }

    @Test("An agent that starts while another one is down leaves that host's traffic alone, for longer than a minute")
    func restartBesideASilentAgent() throws {
      try withPool(2) { pool in
        let blue = try pool.network("blue")
        let guests = try (1...2).map { try pool.guest(on: pool[$0], blue) }
        try expectAllReach(guests)
        let ping = try guests[0].ping(guests[1].ipv4, every: 0.1, in: pool)
        pool[2].crashAgent()
        pool[1].crashAgent()
        try pool[1].start()
        // A minute of patience, and one look at everything after it.
        let end = Clock.now + 100
        while Clock.now < end { usleep(100_000) }
        #expect(try pool[1].hosts().contains { $0.state == "agentDown" })
        if TestRun.path.outlivesAgent {
          #expect(try pool[1].floodList("blue") == [pool[2].address])
          #expect(try pool[1].remote(guests[1].mac, in: "blue") == pool[2].address)
          try ping.proceed(10)
          #expect(try ping.stop().lost == 0)
        }
        try pool[2].start()
        try pool.settle()
        try expectAllReach(guests)
      }
    }
  }
}
