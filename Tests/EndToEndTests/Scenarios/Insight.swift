import Glibc
import Testing

extension EndToEnd {
  /// What the commands tell about the pool.
  @Suite struct Insight {
    @Test("The doctor of a healthy pool finds no failure, and names the host that it cannot reach when there is one")
    func doctor() throws {
      try withPool(2) { pool in
        let healthy = try JSON.decode(DoctorView.self, from: pool[1].weft("doctor", "--json"))
        #expect(!healthy.checks.isEmpty)
        #expect(healthy.checks.allSatisfy { $0.status != "failure" }, "\(healthy)")
        #expect(healthy.checks.contains { $0.name.contains("host2") || $0.message.contains("host2") }, "\(healthy)")
        try pool.cut(pool[2])
        try eventually(within: 40, "the doctor names host2") {
          let answer = try pool[1].attempt("doctor", "--json")
          let report = try JSON.decode(DoctorView.self, from: answer.output)
          return report.checks.contains {
            $0.status == "failure" && ($0.name + $0.message).contains("host2")
          }
        }
      }
    }

    @Test("Events tell of hosts, networks and moves, newest last, and follow as they happen")
    func events() throws {
      try withPool(2) { pool in
        let follower = try pool.start(
          [TestRun.weft, "--socket", pool[1].socket, "events", "--follow"], in: pool[1].namespace, name: "events")
        let blue = try pool.network("blue")
        let guest = try pool.guest(on: pool[1], blue)
        try pool.expect(guest.mac, in: blue, on: pool[1])
        try guest.migrate(to: pool[2], blue)
        try pool.expect(guest.mac, in: blue, on: pool[2])
        try eventually("the follower tells of the move") {
          let text = Files.text(follower.output)
          return text.contains("blue") && text.contains(guest.mac) && text.contains("host2")
        }
        let list = try JSON.decode([EventView].self, from: pool[1].weft("events", "--json"))
        let created = list.firstIndex { $0.message.contains("blue") }
        let moved = list.lastIndex { $0.message.contains(guest.mac) }
        #expect(try #require(created) < (try #require(moved)))
      }
    }

    @Test("Every list and show has its stable keys in JSON, and a table for people")
    func lists() throws {
      try withPool(2) { pool in
        let blue = try pool.network("blue")
        let guest = try pool.guest(on: pool[1], blue)
        try pool.expect(guest.mac, in: blue, on: pool[1])
        for (words, keys) in [
          (["host", "list"], ["id", "name", "state", "address", "incarnation"]),
          (["host", "show", "host2"], ["id", "name", "state", "address", "incarnation"]),
          (["network", "list"], ["id", "name", "vni", "bridge", "encap", "encryption", "mtu", "state"]),
          (["network", "show", "blue"], ["id", "name", "vni", "bridge", "encap", "encryption", "mtu", "state"]),
          (["mac", "list"], ["mac", "network", "host", "state", "sequence", "ips", "vif", "vm"]),
          (["pool", "status"], ["pool", "hosts", "networks", "problems"]),
          (["events"], ["message"]), (["doctor"], ["checks"]),
        ] {
          let json = try pool[1].attempt(words + ["--json"])
          for key in keys { #expect(json.output.contains("\"\(key)\""), "\(words): no \(key) in \(json.said)") }
          let isList = words.last == "list" || words == ["events"]
          #expect(json.output.first == (isList ? "[" : "{"), "\(words): \(json.output.prefix(60))")
          #expect(try pool[1].attempt(words).output.isEmpty == false)
        }
      }
    }

    @Test("A network is renamed everywhere at once and keeps its traffic; its MTU changes only by command")
    func networkChanged() throws {
      try withPool(2) { pool in
        let blue = try pool.network("blue")
        let guests = try (1...2).map { try pool.guest(on: pool[$0], blue) }
        try expectAllReach(guests)
        let ping = try guests[0].ping(guests[1].ipv4, every: 0.01, in: pool)
        try ping.proceed(20)
        try pool[2].weft("network", "set", "blue", "--name", "azure")
        try eventually("host1 has the new name") { try pool[1].networks().map(\.name) == ["azure"] }
        let azure = try pool[1].network("azure")
        #expect(azure.id == blue.id && azure.vni == blue.vni && azure.bridge == blue.bridge)
        try pool[1].weft("network", "set", "azure", "--mtu", "1300")
        for host in pool.hosts {
          try eventually("\(host.name) has the new MTU") { try host.namespace.link(blue.bridge)?.mtu == 1300 }
        }
        try ping.proceed(20)
        #expect(try ping.stop().lost == 0)
      }
    }
  }
}
