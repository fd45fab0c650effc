import Glibc
import Testing

extension EndToEnd {
  @Suite struct Failures {
    @Test(
      "An agent that is killed and started again under traffic costs no ping where the kernel carries it, and little else"
    )
    func agentKilled() throws {
      try withPool(3) { pool in
        let blue = try pool.network("blue")
        let guests = try (1...3).map { try pool.guest(on: pool[$0], blue) }
        try expectAllReach(guests)
        for guest in guests { try pool.expect(guest.mac, in: blue, on: pool[guest.number]) }
        let before = try kernelState(pool[1], blue)
        let pings = try [(0, 1), (2, 0)].map { try guests[$0].ping(guests[$1].ipv4, every: 0.01, in: pool) }
        for ping in pings { try ping.proceed(30) }
        pool[1].crashAgent()
        if TestRun.path.outlivesAgent { for ping in pings { try ping.proceed(100) } }
        try pool[1].start()
        try pool.settle()
        for guest in guests { try pool.expect(guest.mac, in: blue, on: pool[guest.number]) }
        for ping in pings {
          try ping.proceed(100)
          try ping.stop().expectAgentRestart(of: pool[1])
        }
        #expect(try kernelState(pool[1], blue) == before)
      }
    }

    @Test("SIGTERM ends the agent cleanly, forwarding stays, and the next agent adopts what stands")
    func agentStopped() throws {
      try withPool(2) { pool in
        let blue = try pool.network("blue")
        let guests = try (1...2).map { try pool.guest(on: pool[$0], blue) }
        try expectAllReach(guests)
        for guest in guests { try pool.expect(guest.mac, in: blue, on: pool[guest.number]) }
        let before = try kernelState(pool[1], blue)
        let ping = try guests[1].ping(guests[0].ipv4, every: 0.01, in: pool)
        try ping.proceed(20)
        try pool[1].stopAgent()
        #expect(!Files.exists(pool[1].socket), "the socket is removed")
        if TestRun.path.outlivesAgent { try ping.proceed(100) }
        #expect(try kernelState(pool[1], blue) == before)
        try pool[1].start()
        try pool.settle()
        try ping.proceed(50)
        try ping.stop().expectAgentRestart(of: pool[1])
        #expect(try kernelState(pool[1], blue) == before)
      }
    }

    @Test("A host whose agent is gone while its kernel forwards is agentDown: all of it stays in force")
    func agentDown() throws {
      try withPool(3) { pool in
        let blue = try pool.network("blue")
        let guests = try (1...3).map { try pool.guest(on: pool[$0], blue) }
        try expectAllReach(guests)
        pool[3].crashAgent()
        for host in [pool[1], pool[2]] {
          try eventually(within: 30, "\(host.name) sees that the agent of host3 is down") {
            try host.host("host3")?.state == "agentDown"
          }
        }
        #expect(try pool[1].floodList("blue").contains(pool[3].address))
        #expect(try pool[1].binding(guests[2].mac, in: "blue")?.hidden == false)
        try expectAllReach(TestRun.path.outlivesAgent ? guests : Array(guests[0...1]))
        try pool[3].start()
        try pool.settle()
      }
    }

    @Test("A host that crashed leaves the flood lists, and its MACs are back at once when it returns")
    func hostCrash() throws {
      try withPool(3) { pool in
        let blue = try pool.network("blue")
        let guests = try (1...3).map { try pool.guest(on: pool[$0], blue) }
        try expectAllReach(guests)
        pool[3].crashAgent()
        try pool.cut(pool[3])
        for host in [pool[1], pool[2]] {
          try eventually(within: 30, "\(host.name) sees that host3 is dead") {
            try host.host("host3")?.state == "dead"
          }
          try eventually(within: 5, "\(host.name) floods to host3 no more") {
            try !host.floodList("blue").contains(pool[3].address)
          }
          #expect(try host.binding(guests[2].mac, in: "blue")?.hidden == true, "its MAC is hidden on \(host.name)")
        }
        try expectAllReach(Array(guests[0...1]))
        try pool.heal(pool[3])
        try pool[3].start()
        for host in [pool[1], pool[2]] {
          try eventually(within: 5, "\(host.name) floods to host3 again") {
            try host.floodList("blue").contains(pool[3].address)
          }
        }
        try pool.expect(guests[2].mac, in: blue, on: pool[3])
        try expectAllReach(guests, within: 3)
      }
    }

    @Test("A host that lost power comes back with its networks, and its guests run on it again")
    func powerCut() throws {
      try withPool(2) { pool in
        let blue = try pool.network("blue")
        let green = try pool.network("green")
        let guests = try (1...2).map { try pool.guest(on: pool[$0], blue) }
        try expectAllReach(guests)
        try pool.reboot(pool[2])
        try pool[2].start()
        try pool.settle(within: 30)
        for network in [blue, green] {
          try eventually(within: 10, "\(network.name) stands on host2 again") {
            let bridge = try pool[2].namespace.link(network.bridge)
            return try bridge != nil && pool[2].network(network.name).state == "ok"
          }
        }
        let vif = try guests[1].plug(into: pool[2], blue)
        try guests[1].connect(vif)
        try guests[1].announce()
        try pool.expect(guests[1].mac, in: blue, on: pool[2], vif: vif)
        try expectAllReach(guests)
      }
    }

    @Test("Two halves of a pool each work alone for 60 s, and agree within 5 s once they see each other again")
    func partition() throws {
      try withPool(4) { pool in
        let blue = try pool.network("blue")
        let guests = try (1...4).map { try pool.guest(on: pool[$0], blue) }
        try expectAllReach(guests)
        try pool.cut(pool[3], pool[4])
        let start = Clock.now
        for (host, gone) in [(pool[1], ["host3", "host4"]), (pool[4], ["host1", "host2"])] {
          try eventually(within: 40, "\(host.name) sees the other half dead") {
            try gone.allSatisfy { try host.host($0)?.state == "dead" }
          }
        }
        // Each half makes a network, moves a guest and carries its traffic.
        try pool.network("left", on: pool[1])
        try pool.network("right", on: pool[3])
        try guests[0].migrate(to: pool[2], blue)
        try guests[2].migrate(to: pool[4], blue)
        try eventually(within: 5, "the left half moved its guest") {
          try pool[1].binding(guests[0].mac, in: "blue")?.host == "host2"
        }
        try eventually(within: 5, "the right half moved its guest") {
          try pool[3].binding(guests[2].mac, in: "blue")?.host == "host4"
        }
        let pings = try [(0, 1), (2, 3)].map { try guests[$0].ping(guests[$1].ipv4, every: 0.1, in: pool) }
        while Clock.now < start + 60 { usleep(100_000) }
        for ping in pings {
          try ping.proceed(5)
          #expect(try ping.stop().lost == 0)
        }

        try pool.heal(pool[3], pool[4])
        let healed = Clock.now
        try pool.settle(within: 5)
        for host in pool.hosts {
          try eventually(within: healed + 5 - Clock.now, "\(host.name) knows all of both halves") {
            let owners = try guests.map { try host.binding($0.mac, in: "blue")?.host }
            let networks = try Set(host.networks().map(\.name))
            return owners == ["host2", "host2", "host4", "host4"] && networks == ["blue", "left", "right"]
          }
        }
        try expectAllReach(guests, within: 3)
        for name in ["left", "right"] {
          for host in pool.hosts {
            try eventually(within: 5, "\(name) stands on \(host.name)") {
              let network = try host.network(name)
              let bridge = try host.namespace.link(network.bridge)
              return network.state == "ok" && bridge != nil
            }
          }
        }
      }
    }

    @Test("A host whose sending is lost comes to be dead for the others, and is back when it is heard again")
    func oneWayCut() throws {
      try withPool(3) { pool in
        try pool.silence(pool[2])
        for host in [pool[1], pool[3]] {
          try eventually(within: 30, "\(host.name) gives host2 up") { try host.host("host2")?.state == "dead" }
        }
        try pool.endSilence()
        try pool.settle(within: 15)
      }
    }

    @Test("A host that joins while another one is down is known to it when that one returns")
    func joinerWhileAnotherIsDown() throws {
      try withPool(3) { pool in
        let blue = try pool.network("blue")
        let old = try pool.guest(on: pool[3], blue)
        try pool.expect(old.mac, in: blue, on: pool[3])
        pool[3].crashAgent()
        try pool.cut(pool[3])
        let joiner = try pool.addHost()
        try joiner.start()
        try pool.join(joiner, through: pool[2])
        try eventually(within: 10, "the network stands on the joiner") {
          try joiner.namespace.link(blue.bridge) != nil
        }
        let new = try pool.guest(on: joiner, blue)
        let green = try pool.network("green", on: joiner)
        try pool.heal(pool[3])
        try pool[3].start()
        try pool.settle()
        try pool.expect(new.mac, in: blue, on: joiner)
        try pool.expect(old.mac, in: blue, on: pool[3])
        try expectAllReach([old, new])
        try eventually(within: 5, "what was made meanwhile stands on the host that returned") {
          try pool[3].namespace.link(green.bridge) != nil
        }
      }
    }

    @Test("A pool forms and works with any of its hosts gone, the first one included")
    func noHostIsNeeded() throws {
      try withPool(3) { pool in
        let blue = try pool.network("blue")
        pool[1].crashAgent()
        try pool.cut(pool[1])
        let joiner = try pool.addHost()
        try joiner.start()
        try pool.join(joiner, through: pool[2])
        let guests = try [pool.guest(on: pool[3], blue), pool.guest(on: joiner, blue)]
        try expectAllReach(guests)
        try guests[0].migrate(to: pool[2], blue)
        try eventually(within: 5, "the move is known") {
          try joiner.binding(guests[0].mac, in: "blue")?.host == "host2"
        }
      }
    }
  }
}

/// The links of a network on a host with their indexes and settings, and every FDB entry: what a restart may not touch.
private func kernelState(_ host: TestHost, _ network: NetworkView) throws -> [String] {
  let links = try host.namespace.links().filter { [network.bridge, host.device(of: network)].contains($0.ifname) }
  let entries = try host.namespace.fdb(host.device(of: network)).map {
    "\($0.mac) \($0.dst ?? "") \($0.master ?? "")"
  }
  return links.map(\.settings).sorted() + entries.sorted()
}
