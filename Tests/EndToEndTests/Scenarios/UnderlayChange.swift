import Glibc
import Testing

extension EndToEnd {
  @Suite struct UnderlayChange {
    private static func expectAddress(of host: TestHost, on others: [TestHost], within seconds: Double = 10) throws {
      for other in others {
        try eventually(within: seconds, "\(other.name) shows \(host.name) alive at \(host.address)") {
          let view = try other.host(host.name)
          return view?.address == host.address && view?.state == "alive"
        }
      }
    }

    @Test(
      "A host whose underlay address becomes another one goes on at the new one: guests lose little, the agent runs on",
      arguments: [false, true])
    func renumbered(isV6: Bool) throws {
      let pool = try TestPool(isV6: isV6)
      defer { pool.tearDown() }
      do {
        for _ in 0..<3 { try pool.addHost().underlayFlag = "eth0" }
        for host in pool.hosts { try host.start() }
        try pool[1].weft("pool", "init", "--name", "lab")
        for host in pool.hosts.dropFirst() { try pool.join(host, through: pool[1]) }
        try pool.settle()
        let blue = try pool.network("blue")
        let guests = try (1...3).map { try pool.guest(on: pool[$0], blue) }
        try expectAllReach(guests)
        let token = try pool[1].invite("--uses", "2")
        let old = pool[1].address
        let before = try pool[1].namespace.link(pool[1].device(of: blue))
        let agent = pool[1].agent?.pid
        let versions = try pool[2].hosts().map(\.incarnation)

        let pings = try [guests[1], guests[2]].map { try $0.ping(guests[0].ipv4, every: 0.01, in: pool) }
        for ping in pings { try ping.proceed(30) }
        try pool.renumber(pool[1], to: pool.address(0x51))
        try Self.expectAddress(of: pool[1], on: pool.hosts)
        for ping in pings {
          try ping.proceed(50)
          let report = try ping.stop()
          print("underlay address changed, \(isV6 ? "IPv6" : "IPv4"): \(report)")
          #expect(report.gap < 5, "\(report)")
          #expect(report.duplicates == 0, "\(report)")
        }
        #expect(pool[1].agent?.pid == agent && pool[1].agent?.isRunning == true)
        // The tunnel is the same device with another local address, and nobody floods to the old one.
        #expect(try pool[1].namespace.link(pool[1].device(of: blue))?.ifindex == before?.ifindex)
        if pool[1].path(of: blue) == .kernel {
          let words = try pool[1].namespace.ip("-d", "link", "show", pool[1].device(of: blue))
          #expect(words.contains("local \(pool[1].address) "))
        }
        for host in pool.hosts.dropFirst() {
          try eventually(within: 5, "\(host.name) floods to the new address only") {
            let list = try host.floodList("blue")
            return list.contains(pool[1].address) && !list.contains(old)
          }
          #expect(try host.remote(guests[0].mac, in: "blue") == pool[1].address)
        }
        #expect(try pool[2].hosts().map(\.incarnation) == versions, "somebody was suspected")
        #expect(try pool[1].weft("events").contains("changed from \(old) to \(pool[1].address)"))
        let doctor = try JSON.decode(DoctorView.self, from: pool[1].weft("doctor", "--json"))
        #expect(doctor.checks.allSatisfy { !$0.name.contains("underlay") || $0.status == "ok" }, "\(doctor.checks)")

        // A token from before serves at the new address and at any other host.
        for target in [pool[1], pool[2]] {
          let joiner = try pool.addHost()
          try joiner.start()
          try joiner.weft("pool", "join", target.address, "--token", token)
        }
        // What is restarted now finds the host where it is.
        try pool[2].stopAgent()
        try pool[2].start()
        try pool.settle()
        try expectAllReach(guests)
      } catch {
        pool.printLogs()
        throw error
      }
    }

    @Test(
      "While the old address is there nothing changes; an address that is gone is waited for, and one of the other family is not taken",
      arguments: [false, true])
    func goneAndBack(isV6: Bool) throws {
      try withPool(2, isV6: isV6) { pool in
        let blue = try pool.network("blue")
        let guests = try (1...2).map { try pool.guest(on: pool[$0], blue) }
        try expectAllReach(guests)
        try pool[1].stopAgent()
        pool[1].underlayFlag = "eth0"
        try pool[1].start()
        try pool.settle()
        let host = pool[1].namespace
        let words = pool.addressWords(pool[1].address)
        func events() throws -> [EventView] {
          try JSON.decode([EventView].self, from: pool[1].weft("events", "--json"))
        }
        func count(_ kind: String) throws -> Int { try events().filter { $0.kind == kind }.count }

        let ping = try guests[0].ping(guests[1].ipv4, every: 0.01, in: pool)
        try host.ip(batch: ["address add \(pool.addressWords(pool.address(0x61)))"])
        try always(for: 1, "a second address changes nothing") { try count("underlayChanged") == 0 }
        try host.ip(batch: ["address delete \(pool.addressWords(pool.address(0x61)).replacing(" nodad", with: ""))"])
        try ping.proceed(20)
        #expect(try ping.stop().lost == 0)

        // Gone, with an address of the other family in its place, and back a moment later.
        try host.ip(batch: [
          isV6 ? "address add 198.51.100.1/24 dev eth0" : "address add 2001:db8:1::1/64 dev eth0 nodad",
          "address delete \(words.replacing(" nodad", with: ""))",
        ])
        try eventually("the loss is told") { try count("underlayGone") == 1 }
        let doctor = try pool[1].attempt("doctor", "--json")
        #expect(doctor.output.contains(isV6 ? "no IPv6 address" : "no IPv4 address"), "\(doctor.output)")
        try host.ip(batch: ["address add \(words)"])
        try eventually("the return is told") { try count("underlayChanged") == 1 }
        try pool.settle()
        try expectAllReach(guests)
        #expect(try pool[2].host("host1")?.address == pool[1].address)

        // The interface goes down and comes up. The kernel takes IPv6 addresses away with it.
        try host.ip(batch: ["link set eth0 down"])
        try eventually("the loss of the link is told by doctor") {
          try pool[1].attempt("doctor").output.contains(isV6 ? "no IPv6 address" : "is down")
        }
        try host.ip(batch: ["link set eth0 up"] + (isV6 ? ["address add \(words)"] : []))
        try pool.settle()
        try expectAllReach(guests)
      }
    }

    @Test("With an address in --underlay a change is told with what to do, and the agent runs on")
    func fixedAddress() throws {
      try withPool(2) { pool in
        let blue = try pool.network("blue")
        let guests = try (1...2).map { try pool.guest(on: pool[$0], blue) }
        try expectAllReach(guests)
        let old = pool[1].address
        try pool.renumber(pool[1], to: pool.address(0x71))
        try eventually("the event says what to do") {
          let events = try pool[1].weft("events")
          return events.contains("underlayGone") && events.contains("start weftd with another --underlay")
        }
        let doctor = try pool[1].attempt("doctor").output
        #expect(doctor.contains("\(old) is not an address of this host") && doctor.contains("Give"), "\(doctor)")
        try pool.renumber(pool[1], to: old)
        try pool.settle()
        try expectAllReach(guests)
      }
    }

    @Test("A host that moved while none of the others, or one of them, could not hear it is found by them again")
    func movedUnheard() throws {
      try withPool(3) { pool in
        try pool[3].stopAgent()
        pool[3].underlayFlag = "eth0"
        try pool[3].start()
        try pool.settle()
        let blue = try pool.network("blue")
        let guests = try (1...3).map { try pool.guest(on: pool[$0], blue) }
        try expectAllReach(guests)
        for (cut, number) in [(pool[3], 0x53), (pool[1], 0x54)] {
          try pool.cut(cut)
          for host in pool.hosts {
            let lost = host === cut ? pool.hosts.filter { $0 !== cut } : [cut]
            for other in lost {
              try eventually(within: 30, "\(host.name) gives \(other.name) up") {
                try host.host(other.name)?.state == "dead"
              }
            }
          }
          try pool.renumber(pool[3], to: pool.address(number))
          try eventually("host3 has moved") { try pool[3].host("host3")?.address == pool[3].address }
          let healing = Clock.now
          try pool.heal(cut)
          try Self.expectAddress(of: pool[3], on: [pool[1], pool[2]], within: 20)
          print("\(cut.name) was cut off, host3 moved: found \(Int((Clock.now - healing) * 1000)) ms after the end")
        }
        try pool.settle()
        try expectAllReach(guests)
      }
    }

    @Test("Two hosts that exchange their addresses under traffic are both found, whatever neighbours remember")
    func exchanged() throws {
      try withHosts(3, isV6: true) { pool in
        for host in pool.hosts {
          host.underlayFlag = "eth0"
          try host.start()
        }
        try pool[1].weft("pool", "init", "--name", "lab")
        for host in pool.hosts.dropFirst() { try pool.join(host, through: pool[1]) }
        try pool.settle()
        let blue = try pool.network("blue")
        let guests = try (1...3).map { try pool.guest(on: pool[$0], blue) }
        try expectAllReach(guests)
        let (first, second) = (pool[1].address, pool[2].address)
        let ping = try guests[2].ping(guests[0].ipv4, every: 0.01, in: pool)
        try ping.proceed(20)
        try pool[1].namespace.ip(batch: [
          "address delete \(pool.addressWords(first).replacing(" nodad", with: ""))"
        ])
        try pool.renumber(pool[2], to: first)
        try pool[1].namespace.ip(batch: ["address add \(pool.addressWords(second))"])
        pool[1].address = second
        for host in pool.hosts.prefix(2) { try Self.expectAddress(of: host, on: pool.hosts, within: 15) }
        try expectAllReach(guests)
        try ping.proceed(20)
        let report = try ping.stop()
        print("two hosts exchanged their addresses: \(report)")
        #expect(report.gap < 5, "\(report)")
        try pool.settle()
      }
    }

    @Test("A port that another program holds at the new address is named, and had once it is free")
    func portTaken() throws {
      try withPool(2) { pool in
        try pool[1].stopAgent()
        pool[1].underlayFlag = "eth0"
        try pool[1].start()
        try pool.settle()
        let new = pool.address(0x81)
        try pool[1].namespace.ip(batch: ["address add \(new)/32 dev eth0"])
        let holder = try pool.start(
          ["socat", "-u", "UDP4-RECV:7677,bind=\(new)", "OPEN:/dev/null"], in: pool[1].namespace, name: "holder")
        try eventually("the port is held") {
          try pool[1].namespace.execute("ss", "-Hlun").contains("\(new):7677")
        }
        try pool[1].namespace.ip(batch: ["address delete \(pool[1].address)/24 dev eth0"])
        try eventually("the event names the port") {
          try pool[1].weft("events").contains("UDP port 7677 on \(new) is used by another program")
        }
        #expect(try pool[1].attempt("doctor").output.contains("UDP port 7677 on \(new)"))
        holder.signal(SIGKILL)
        holder.wait(within: 5)
        pool[1].address = new
        // Any event of the interface is an occasion to try again; without one the next look at everything is.
        try pool[1].namespace.ip(batch: ["address replace \(new)/24 dev eth0"])
        try Self.expectAddress(of: pool[1], on: pool.hosts)
        try pool.settle()
      }
    }
  }
}
