import Glibc
import Testing

extension EndToEnd.Encrypted {
  @Suite struct Traffic {
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
        try MarkedTraffic.pings(among: guests, blue)
        try pool.keepKeys(of: pool.hosts, [blue], as: carriage.testDescription)
        try sealed.stop(keepingAs: "\(carriage.testDescription).pcap")
          .expectSealed([MarkedTraffic.mark], atLeast: 50)

        let witness = try Witness(pool)
        try MarkedTraffic.floods(of: 0..<1, among: guests)
        try MarkedTraffic.stream(from: guests[0], to: guests[2], in: pool)
        try move(guests, blue, in: pool)
        try kill(pool[1], under: guests, in: pool)
        try rekey(guests, in: pool)
        try witness.stop().expectSealed(MarkedTraffic.marks, atLeast: 500)
      }
    }

    private func move(_ guests: [Guest], _ network: NetworkView, in pool: TestPool) throws {
      let ping = try guests[2].ping(guests[0].ipv4, every: 0.02, mark: MarkedTraffic.mark, in: pool)
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
        try guests[$0].ping(guests[$1].ipv4, every: 0.02, mark: MarkedTraffic.mark, in: pool)
      }
      for ping in pings { try ping.proceed(20) }
      host.crashAgent()
      if TestRun.path.outlivesAgent { for ping in pings { try ping.proceed(50) } }
      try host.start()
      try pool.settle()
      try pool.expectKeys()
      for ping in pings {
        try ping.proceed(50)
        try ping.stop().expectAgentRestart(of: host, "drops: \(pool.ipsecDrops())")
      }
    }

    private func rekey(_ guests: [Guest], in pool: TestPool) throws {
      let before = try pool[2].keys()?.epoch ?? 0
      let ping = try guests[1].ping(guests[2].ipv4, every: 0.01, mark: MarkedTraffic.mark, in: pool)
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
