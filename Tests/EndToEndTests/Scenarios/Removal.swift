import Glibc
import Testing

extension EndToEnd {
  @Suite struct Removal {
    @Test("A network is not deleted under guests; without them, all that Weft made for it goes, on every host")
    func networkDeleted() throws {
      try withHosts(2) { pool in
        for host in pool.hosts { try host.makeForeignLinks() }
        let before = try pool.hosts.map { try $0.namespace.links().map(\.ifname).sorted() }
        try pool.formOnHosts()
        let blue = try pool.network("blue")
        let green = try pool.network("green")
        let guests = try (1...2).map { try pool.guest(on: pool[$0], blue) }
        let others = try (1...2).map { try pool.guest(on: pool[$0], green) }
        try expectAllReach(guests)
        let ping = try others[0].ping(others[1].ipv4, every: 0.01, in: pool)
        try ping.proceed(20)

        let refusal = try pool[2].attempt("network", "delete", "blue").sentence()
        #expect(refusal.contains("host1") && refusal.contains("host2") && refusal.contains(blue.bridge), "\(refusal)")
        try expectAllReach(guests)

        // The VIFs are not ours: taken out of the bridge they stay on the host.
        for guest in guests {
          let vif = try #require(guest.connected())
          try vif.host.namespace.ip("link", "set", vif.name, "nomaster")
        }
        try eventually("the network can be deleted") { try pool[2].attempt("network", "delete", "blue").status == 0 }
        for host in pool.hosts {
          try eventually("\(host.name) has nothing of blue any more") {
            let names = try host.namespace.links().map(\.ifname)
            let isListed = try host.networks().contains { $0.name == "blue" }
            return !names.contains(blue.bridge) && !names.contains(host.device(of: blue)) && !isListed
          }
          let vif = try #require(guests[host.number - 1].connected())
          #expect(try host.namespace.link(vif.name) != nil)
        }
        try ping.proceed(20)
        #expect(try ping.stop().lost == 0, "the other network did not notice")
        for guest in guests + others { if let vif = guest.connected() { try guest.unplug(vif) } }
        try eventually("the other network can be deleted") {
          try pool[1].attempt("network", "delete", "green").status == 0
        }
        for (host, names) in zip(pool.hosts, before) {
          try eventually("\(host.name) has the links that it had") {
            try host.namespace.links().map(\.ifname).sorted() == names
          }
        }
        // The name is free again, for another network.
        let again = try pool.network("blue")
        #expect(again.id != blue.id)
      }
    }

    @Test("A host that leaves removes what Weft made on it and nothing else, and the others forget it")
    func poolLeft() throws {
      try withHosts(3) { pool in
        for host in pool.hosts { try host.makeForeignLinks() }
        let before = try pool[3].namespace.links().map(\.ifname).sorted()
        let rules = try pool[3].namespace.execute("nft", "list", "ruleset")
        try pool.formOnHosts()
        let blue = try pool.network("blue")
        let guests = try (1...3).map { try pool.guest(on: pool[$0], blue) }
        try expectAllReach(guests)
        let ping = try guests[0].ping(guests[1].ipv4, every: 0.01, in: pool)
        try ping.proceed(20)
        let vif = try #require(guests[2].connected())
        try pool[3].weft("pool", "leave")
        try eventually("host3 has only its own links") {
          try pool[3].namespace.links().map(\.ifname).sorted() == (before + [vif.name]).sorted()
        }
        #expect(try pool[3].namespace.execute("nft", "list", "ruleset") == rules)
        for host in [pool[1], pool[2]] {
          try eventually("\(host.name) has dropped host3") {
            let view = try host.host("host3")
            let flooded = try host.floodList("blue").contains(pool[3].address)
            return try (view == nil || view?.state == "left") && !flooded
              && host.binding(guests[2].mac, in: "blue") == nil
          }
        }
        try ping.proceed(20)
        #expect(try ping.stop().lost == 0)
        // It may come back, with a new token.
        try eventually("host3 can join again") {
          try pool[3].attempt("pool", "join", pool[1].address, "--token", pool[1].invite()).status == 0
        }
        try eventually("the network stands on it again") { try pool[3].namespace.link(blue.bridge) != nil }
      }
    }

    @Test("A link, bridge or FDB entry of someone else is left alone while a pool runs and restarts")
    func foreignLinksStay() throws {
      try withHosts(2) { pool in
        for host in pool.hosts { try host.makeForeignLinks() }
        let before = try pool[1].foreignState()
        try pool.formOnHosts()
        let blue = try pool.network("blue")
        let guests = try (1...2).map { try pool.guest(on: pool[$0], blue) }
        try expectAllReach(guests)
        pool[1].crashAgent()
        try pool[1].start()
        try pool.settle()
        try guests[0].migrate(to: pool[2], blue)
        try pool.expect(guests[0].mac, in: blue, on: pool[2])
        for guest in guests { if let vif = guest.connected() { try guest.unplug(vif) } }
        try eventually("the network can be deleted") { try pool[1].attempt("network", "delete", "blue").status == 0 }
        try eventually("the bridge is gone") { try pool[1].namespace.link(blue.bridge) == nil }
        #expect(try pool[1].foreignState() == before)
      }
    }
  }
}

extension TestPool {
  /// Forms the pool on the hosts that are there.
  fileprivate func formOnHosts() throws {
    for host in hosts { try host.start() }
    try hosts[0].weft("pool", "init", "--name", "lab")
    for host in hosts.dropFirst() { try join(host, through: hosts[0]) }
    try settle()
  }
}

extension TestHost {
  /// What other software may have made on a host: a bridge with a port, a VXLAN device with an entry, a name like ours.
  fileprivate func makeForeignLinks() throws {
    try namespace.ip(batch: [
      "link add xenbr0 type bridge", "link set xenbr0 up",
      "link add weft-other type bridge", "link set weft-other up",
      "link add foreign0 type veth peer name foreign1", "link set foreign0 master xenbr0", "link set foreign0 up",
      "link add vxlan42 type vxlan id 42 dstport 4789 local \(address)", "link set vxlan42 up",
    ])
    try must(
      ["bridge", "-n", namespace.name, "fdb", "append", "00:00:00:00:00:00", "dev", "vxlan42", "dst", "192.0.2.250"])
    try namespace.execute("nft", "add table inet foreign")
  }

  fileprivate func foreignState() throws -> [String] {
    let names = ["xenbr0", "weft-other", "foreign0", "foreign1", "vxlan42", "eth0"]
    let links = try namespace.links().filter { names.contains($0.ifname) }.map(\.settings).sorted()
    let entries = try namespace.fdb("vxlan42").map { "\($0)" }
    return try links + entries + [namespace.execute("nft", "list", "table", "inet", "foreign")]
  }
}
