import Glibc
import Testing

extension EndToEnd.Encrypted {
  /// Hosts that encrypt in the kernel and hosts that do it in user space, in one pool.
  @Suite(.enabled(if: KernelESP.obstacle == nil, Comment(rawValue: KernelESP.obstacle ?? "")))
  struct Interop {
    @Test(
      "Two hosts with the kernel's path and two with that of user space are one segment: all pairs, both directions",
      arguments: [false, true])
    func everyPair(isV6: Bool) throws {
      try withHosts(4, isV6: isV6) { pool in
        for number in 1...4 { pool[number].path = number <= 2 ? .kernel : .user }
        for host in pool.hosts { try host.start() }
        try pool[1].weft("pool", "init", "--name", "lab")
        for host in pool.hosts.dropFirst() { try pool.join(host, through: pool[1]) }
        try pool.settle()
        let segments = try Carriage.Encapsulation.allCases.map { encapsulation in
          let network = try pool.encryptedNetwork(encapsulation.rawValue, encapsulation)
          let guests = try (1...4).map { try pool.guest(on: pool[$0], network) }
          return (carriage: Carriage(encapsulation: encapsulation, isV6: isV6), network: network, guests: guests)
        }
        for segment in segments { try expectAllReach(segment.guests) }
        try pool.expectKeys()
        for segment in segments {
          let others = segments.map(\.network).filter { $0 != segment.network }
          try sealed(segment.guests, [segment.network] + others, segment.carriage, in: pool)
        }

        let witness = try Witness(pool)
        for segment in segments {
          try MarkedTraffic.floods(of: segment.guests.indices, among: segment.guests)
          // From each path to the other, and within each.
          for (index, (from, to)) in [(0, 2), (2, 0), (0, 1), (2, 3)].enumerated() {
            try MarkedTraffic.stream(
              from: segment.guests[from], to: segment.guests[to], port: 5001 + index, in: pool)
          }
        }
        // Of each encapsulation over one of the families.
        let moving = segments[isV6 ? 1 : 0]
        try moves(moving.guests, moving.network, in: pool)
        try rekeys(segments.map(\.guests), in: pool)
        try witness.stop().expectSealed(MarkedTraffic.marks, atLeast: 500)
      }
    }

    /// Marked pings of every pair in the first of the networks; which kind of packet carried them; what another program
    /// needs to open those that a kernel sealed or opens.
    private func sealed(_ guests: [Guest], _ networks: [NetworkView], _ carriage: Carriage, in pool: TestPool) throws {
      let witness = try Witness(pool)
      try MarkedTraffic.pings(among: guests, networks[0])
      let name = "\(carriage.testDescription)-mixed"
      try pool.keepKeys(of: pool.hosts.prefix(2), networks, as: name)
      let capture = try witness.stop(keepingAs: "\(name).pcap")
      capture.expectSealed([MarkedTraffic.mark], atLeast: 100)
      let kernels: Set = ["host1", "host2"]
      for from in pool.hosts.map(\.name) {
        for to in pool.hosts.map(\.name) where to != from {
          let pair = UnderlayCapture.Pair(from: from, to: to)
          let isNative = kernels.isSuperset(of: [from, to])
          #expect(try capture.pairs(.esp, of: pool.hosts).contains(pair) == isNative, "native ESP, \(pair)")
          #expect(try capture.pairs(.espInUDP, of: pool.hosts).contains(pair) == !isNative, "ESP in UDP, \(pair)")
        }
      }
    }

    /// A guest goes from a host of one kind to one of the other and back, under ping from both kinds.
    private func moves(_ guests: [Guest], _ network: NetworkView, in pool: TestPool) throws {
      for target in [3, 1] {
        let pings = try [guests[1], guests[3]].map {
          try $0.ping(guests[0].ipv4, every: 0.02, mark: MarkedTraffic.mark, in: pool)
        }
        for ping in pings { try ping.proceed(20) }
        try guests[0].migrate(to: pool[target], network)
        try pool.expect(guests[0].mac, in: network, on: pool[target], vif: guests[0].connected())
        for ping in pings {
          try ping.proceed(20)
          let report = try ping.stop()
          print("live move to host\(target): \(report)")
          #expect(report.gap < TestRun.patience && report.duplicates == 0, "\(report)")
        }
      }
    }

    private func rekeys(_ segments: [[Guest]], in pool: TestPool) throws {
      let pings = try segments.flatMap { guests in
        try [(0, 2), (3, 1), (2, 3)].map {
          try guests[$0].ping(guests[$1].ipv4, every: 0.02, mark: MarkedTraffic.mark, in: pool)
        }
      }
      for ping in pings { try ping.proceed(20) }
      for host in [pool[1], pool[3]] {
        let before = try host.keys()?.epoch ?? 0
        try host.weft("pool", "rekey", "--host-only")
        try eventually("\(host.name) has drawn new keys") { try host.keys()?.epoch ?? 0 > before }
        try pool.expectKeys()
      }
      for ping in pings {
        try ping.proceed(50)
        let report = try ping.stop()
        #expect(report.lost == 0, "rekey: \(report); drops: \(pool.ipsecDrops())")
      }
    }
  }
}
