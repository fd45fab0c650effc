import Glibc
import Testing

extension EndToEnd.Encrypted {
  /// Hosts that encrypt in the kernel and hosts that do it in user space, in one pool.
  @Suite(.enabled(if: KernelESP.obstacle == nil, Comment(rawValue: KernelESP.obstacle ?? "")))
  struct Interop {
    private static let mark = Array("weft-is-unseen!!".utf8)

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
        for segment in segments { try sealed(segment.guests, segment.network, segment.carriage, in: pool) }

        let witness = try Witness(pool)
        for segment in segments {
          try floods(segment.guests)
          try streams(segment.guests, in: pool)
        }
        // Of each encapsulation over one of the families.
        let moving = segments[isV6 ? 1 : 0]
        try moves(moving.guests, moving.network, in: pool)
        try rekeys(segments.map(\.guests), in: pool)
        try witness.stop().expectSealed([Self.mark, Array("weft test:".utf8)], atLeast: 500)
      }
    }

    /// Marked pings of every pair; which kind of packet carried them; what another program needs to open those that a
    /// kernel sealed or opens.
    private func sealed(_ guests: [Guest], _ network: NetworkView, _ carriage: Carriage, in pool: TestPool) throws {
      let witness = try Witness(pool)
      let pattern = Self.mark.map { hexByte(Int($0)) }.joined()
      for from in guests {
        for to in guests where to !== from {
          try from.namespace.execute("ping", "-n", "-q", "-c", "3", "-i", "0.02", "-p", pattern, to.ipv4)
          // 20 bytes of IPv4 and 8 of ICMP; -M do: never in fragments.
          try from.namespace.execute(
            "ping", "-n", "-q", "-c", "2", "-i", "0.02", "-M", "do", "-s", "\(network.mtu - 28)", "-p", pattern, to.ipv4
          )
        }
      }
      let name = "\(carriage.testDescription)-mixed"
      try keep("\(network.vni)", as: "\(name).vni", in: pool)
      for host in pool.hosts.prefix(2) {
        try keep(try host.namespace.ip("xfrm", "state"), as: "\(name).\(host.name).xfrm", in: pool)
      }
      let capture = try witness.stop(keepingAs: "\(name).pcap")
      capture.expectSealed([Self.mark], atLeast: 100)
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

    private func keep(_ text: String, as name: String, in pool: TestPool) throws {
      let path = pool.path(name)
      try Files.write(text.utf8, to: path)
      try TestRun.keep(path, as: name)
    }

    private func floods(_ guests: [Guest]) throws {
      let wires = try guests.map { try $0.wire() }
      for sender in guests.indices {
        for (what, destination) in [("broadcast", Frame.broadcast), ("multicast", "01:00:5e:01:02:03")] {
          let mark = Frame.mark("\(what) of \(sender)")
          try guests[sender].socket().send(Frame.ethernet(to: destination, from: guests[sender].mac, payload: mark))
          for index in guests.indices where index != sender {
            #expect(wires[index].receive(1, marked: mark, within: 3).count == 1, "\(what), \(sender) to \(index)")
          }
          for index in guests.indices {
            #expect(wires[index].receive(marked: mark, within: 0.1).isEmpty, "\(what) twice, \(sender) to \(index)")
          }
        }
      }
    }

    /// TCP from each path to the other, and within each.
    private func streams(_ guests: [Guest], in pool: TestPool) throws {
      let (sent, received) = (pool.path("sent"), pool.path("received"))
      let bytes = [[UInt8]](repeating: Self.mark, count: 1 << 15).flatMap { $0 }
      try Files.write(bytes, to: sent)
      for (port, (from, to)) in [(0, 2), (2, 0), (0, 1), (2, 3)].enumerated() {
        let port = 5001 + port
        unlink(received)
        let listener = try pool.start(
          ["socat", "-u", "TCP4-LISTEN:\(port),reuseaddr", "OPEN:\(received),creat,trunc"],
          in: guests[to].namespace, name: "server")
        try eventually("the server listens") {
          try guests[to].namespace.execute("ss", "-Hltn").contains(":\(port)")
        }
        try guests[from].namespace.execute("socat", "-u", "OPEN:\(sent)", "TCP4:\(guests[to].ipv4):\(port)")
        #expect(listener.wait(within: 20) == 0)
        #expect(Files.read(received) == bytes, "512 KiB by TCP, guest \(from + 1) to \(to + 1)")
      }
    }

    /// A guest goes from a host of one kind to one of the other and back, under ping from both kinds.
    private func moves(_ guests: [Guest], _ network: NetworkView, in pool: TestPool) throws {
      for target in [3, 1] {
        let pings = try [guests[1], guests[3]].map {
          try $0.ping(guests[0].ipv4, every: 0.02, mark: Self.mark, in: pool)
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
          try guests[$0].ping(guests[$1].ipv4, every: 0.02, mark: Self.mark, in: pool)
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
