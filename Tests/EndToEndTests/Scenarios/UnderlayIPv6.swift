import Glibc
import Testing

extension EndToEnd {
  @Suite struct UnderlayIPv6 {
    @Test("On an IPv6 underlay frames of every kind cross at full size, and a guest that moves keeps its connection")
    func trafficAndMigration() throws {
      try withPool(3, isV6: true) { pool in
        let blue = try pool.network("blue")
        // 1500 less IPv6, UDP, VXLAN, the guest's Ethernet header and its VLAN tag; encrypted, less ESP in UDP, too: UDP, SPI
        // and sequence, IV, two bytes of trailer that come after a multiple of four, ICV.
        #expect(blue.mtu == 1500 - 40 - 8 - 8 - 14 - 4 - (TestRun.path == .user ? 8 + 8 + 8 + 2 + 16 : 0))
        let guests = try [1, 2, 3, 3].map { try pool.guest(on: pool[$0], blue) }
        for guest in guests { try guest.enableIPv6() }
        try expectAllReach(guests)
        try eventually(within: 10, "neighbour discovery works inside") { guests[0].reaches(guests[2].ipv6) }
        let wires = try guests.map { try $0.wire() }
        for (what, destination, receivers) in [
          ("broadcast", Frame.broadcast, [1, 2, 3]), ("unknown unicast", "02:00:00:00:00:77", [1, 2, 3]),
          ("unicast", guests[1].mac, [1]),
        ] {
          let mark = Frame.mark(what)
          try guests[0].socket().send(Frame.ethernet(to: destination, from: guests[0].mac, payload: mark))
          for index in receivers {
            try #require(
              wires[index].receive(1, marked: mark, within: 3).count == 1, "\(what) reaches guest \(index + 1)")
          }
          for index in guests.indices { try #require(wires[index].receive(marked: mark, within: 0.2).isEmpty) }
        }
        try guests[0].namespace.execute(
          "ping", "-n", "-q", "-c", "3", "-i", "0.05", "-M", "do", "-s", "\(blue.mtu - 28)", guests[1].ipv4)

        _ = try pool.start(["iperf3", "-s", "-1"], in: guests[0].namespace, name: "iperf-server")
        try eventually("iperf3 listens") { try guests[0].namespace.execute("ss", "-Hltn").contains(":5201") }
        let stream = try pool.start(
          ["iperf3", "-c", guests[0].ipv4, "-t", "3", "-b", "20M", "-J"], in: guests[2].namespace, name: "iperf")
        let ping = try guests[2].ping(guests[0].ipv4, every: 0.01, in: pool)
        try ping.proceed(50)
        let own = try guests[0].migrate(to: pool[2], blue)
        try pool.expect(guests[0].mac, in: blue, on: pool[2], vif: guests[0].connected())
        try ping.proceed(50)
        let report = try ping.stop()
        report.expectMove(own)
        #expect(report.duplicates == 0, "\(report)")
        try #require(stream.wait(within: 20) == 0, "the TCP stream broke: \(Files.text(stream.output).suffix(400))")
      }
    }

    @Test("On an IPv6 underlay a killed agent costs no ping, and a host that is cut off is given up and comes back")
    func failures() throws {
      try withPool(3, isV6: true) { pool in
        let blue = try pool.network("blue")
        let guests = try (1...3).map { try pool.guest(on: pool[$0], blue) }
        try expectAllReach(guests)
        let ping = try guests[0].ping(guests[1].ipv4, every: 0.01, in: pool)
        try ping.proceed(20)
        pool[1].crashAgent()
        if TestRun.path.outlivesAgent { try ping.proceed(50) }
        try pool[1].start()
        try pool.settle()
        try ping.proceed(50)
        try ping.stop().expectAgentRestart(of: pool[1])

        pool[3].crashAgent()
        try eventually(within: 30, "host1 sees that the agent of host3 is down") {
          try pool[1].host("host3")?.state == "agentDown"
        }
        #expect(try pool[1].floodList("blue").contains(pool[3].address))
        try pool.cut(pool[3])
        try eventually(within: 30, "host1 gives host3 up") { try pool[1].host("host3")?.state == "dead" }
        try eventually(within: 5, "host1 floods to host3 no more") {
          try !pool[1].floodList("blue").contains(pool[3].address)
        }
        try pool.heal(pool[3])
        try pool[3].start()
        try pool.settle()
        try pool.expect(guests[2].mac, in: blue, on: pool[3])
        try expectAllReach(guests)
        let checks = try JSON.decode(DoctorView.self, from: pool[1].weft("doctor", "--json")).checks
        for name in ["underlay", "UDP to host2", "TCP to host2", "MTU to host2"] {
          #expect(checks.first { $0.name == name }?.status == "ok", "\(checks.first { $0.name == name } as Any)")
        }
      }
    }

    @Test("A host joins an IPv6 pool by any spelling of an address, and what cannot be joined at is refused in words")
    func joining() throws {
      try withPool(1, isV6: true) { pool in
        for _ in 0..<3 { try pool.addHost().start() }
        let token = try pool[1].invite("--uses", "3")
        for (number, address) in [
          (2, "[2001:db8::1]:7677"), (3, "[2001:0DB8:0:0:0:0:0:1]"), (4, "2001:db8::1"),
        ] {
          try pool[number].weft("pool", "join", address, "--token", token)
        }
        try pool.settle()
        let last = try pool.addHost()
        try last.start()
        for (address, words) in [
          ("fe80::1", "joined at"), ("fe80::1%eth0", "not an address"), ("[2001:db8::1", "not an address"),
          ("192.0.2.1", "IPv4"), ("2001:db8::99:99", "2001:db8::99:99"),
        ] {
          let sentence = try last.attempt(["pool", "join", address, "--token", token], within: 40).sentence()
          #expect(sentence.contains(words), "\(address): \(sentence)")
        }
      }
    }

    @Test(
      "An interface gives its IPv4 address first, waits for an address that is still looked for, and no link-local one")
    func choice() throws {
      try withHosts(2, isV6: true) { pool in
        for host in pool.hosts { host.underlayFlag = "eth0" }
        try pool[1].namespace.ip(batch: ["address add 198.51.100.1/24 dev eth0"])
        try pool[1].start()
        #expect(try pool[1].weft("pool", "status", "--json").contains("198.51.100.1"))

        // Duplicate address detection runs for a second or two from here on.
        try pool[2].namespace.ip(batch: ["address flush dev eth0", "address add 2001:db8::2/64 dev eth0"])
        try pool[2].start()
        #expect(try pool[2].weft("pool", "status", "--json").contains("2001:db8::2"))
        try pool[2].stopAgent()

        try pool[2].namespace.ip(batch: ["address flush dev eth0 scope global"])
        for flag in ["fe80::1", "fe80::1%eth0"] {
          let sentence = try pool[2].refusal(pool[2].agentCommand(underlay: flag))
          #expect(sentence.contains("other hosts can reach"), "\(flag): \(sentence)")
        }
        let waiting = try pool.startWaiting(pool[2], underlay: "eth0", for: "eth0")
        waiting.signal(SIGTERM)
        #expect(waiting.wait(within: 5) != nil)

        // Another machine has the address already.
        try pool[1].namespace.ip(batch: ["address add 2001:db8::77/64 dev eth0 nodad"])
        try pool[2].namespace.ip(batch: ["address add 2001:db8::77/64 dev eth0"])
        try eventually("the kernel finds the duplicate") {
          try pool[2].namespace.ip("address", "show", "dev", "eth0").contains("dadfailed")
        }
        let duplicate = try pool.startWaiting(pool[2], underlay: "2001:db8::77", for: "Another machine")
        // Until that machine has let go of it.
        try pool[1].namespace.ip(batch: ["address del 2001:db8::77/64 dev eth0"])
        try pool[2].namespace.ip(batch: [
          "address del 2001:db8::77/64 dev eth0", "address add 2001:db8::77/64 dev eth0",
        ])
        try eventually("the agent answers") { try pool[2].attempt("pool", "status").status == 0 }
        duplicate.signal(SIGTERM)
        #expect(duplicate.wait(within: 15) == 0)
      }
    }

    @Test(
      "A host that comes back with an address of the other family is told of those that it cannot reach, and is back with its own"
    )
    func mixedPool() throws {
      try withPool(3) { pool in
        try pool.network("blue")
        try pool[3].stopAgent()
        try pool[3].namespace.ip(batch: ["address add 2001:db8::3/64 dev eth0 nodad"])
        pool[3].underlayFlag = "2001:db8::3"
        try pool[3].start()
        try eventually(within: 20, "host3 names those that it cannot reach") {
          let status = try JSON.decode(PoolView.self, from: pool[3].weft("pool", "status", "--json"))
          return status.problems.contains {
            $0.contains("192.0.2.1") && $0.contains("192.0.2.2") && $0.contains("is IPv6 and that of")
          }
        }
        #expect(try pool[3].weft("events").contains("underlayMismatch"))
        let doctor = try JSON.decode(DoctorView.self, from: pool[3].attempt("doctor", "--json").output)
        #expect(doctor.checks.contains { $0.name == "underlay family" && $0.status == "failure" }, "\(doctor)")
        for host in [pool[1], pool[2]] {
          try eventually(within: 30, "\(host.name) does not see host3") {
            try ["agentDown", "dead"].contains(host.host("host3")?.state ?? "")
          }
        }
        // Back on the family of the pool it is a member as before.
        try pool[3].stopAgent()
        pool[3].underlayFlag = nil
        try pool[3].start()
        try pool.settle()
      }
    }
  }
}
