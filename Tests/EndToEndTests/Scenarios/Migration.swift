import Glibc
import Testing

extension EndToEnd {
  @Suite struct Migration {
    @Test("A guest that moves keeps its TCP connection and loses next to no pings, and every host knows where it is")
    func liveMigration() throws {
      try withPool(3) { pool in
        let blue = try pool.network("blue")
        let guests = try (1...3).map { try pool.guest(on: pool[$0], blue) }
        try expectAllReach(guests)
        try pool.expect(guests[0].mac, in: blue, on: pool[1])
        let before = try #require(try pool[3].binding(guests[0].mac, in: "blue")?.sequence)
        _ = try pool.start(["iperf3", "-s", "-1"], in: guests[0].namespace, name: "iperf-server")
        try eventually("iperf3 listens") {
          try guests[0].namespace.execute("ss", "-Hltn").contains(":5201")
        }
        let stream = try pool.start(
          ["iperf3", "-c", guests[0].ipv4, "-t", "5", "-b", "20M", "-J"], in: guests[2].namespace, name: "iperf")
        let ping = try guests[2].ping(guests[0].ipv4, every: 0.005, in: pool)
        try ping.proceed(200)
        let own = try guests[0].migrate(to: pool[2], blue)
        try pool.expect(guests[0].mac, in: blue, on: pool[2], vif: guests[0].connected())
        try ping.proceed(200)
        let report = try ping.stop()
        report.expectMove(own)
        #expect(report.duplicates == 0, "\(report)")
        try #require(stream.wait(within: 20) == 0, "the TCP stream broke: \(Files.text(stream.output).suffix(400))")
        let after = try #require(try pool[3].binding(guests[0].mac, in: "blue")?.sequence)
        #expect(after == before + 1)
      }
    }

    @Test("A guest that moves five times to and fro is where it went last, and its sequence tells how often it moved")
    func toAndFro() throws {
      try withPool(3) { pool in
        let blue = try pool.network("blue")
        let guest = try pool.guest(on: pool[1], blue)
        let other = try pool.guest(on: pool[3], blue)
        try pool.expect(guest.mac, in: blue, on: pool[1])
        let first = try #require(try pool[3].binding(guest.mac, in: "blue")?.sequence)
        for move in 1...5 {
          let target = pool[move % 2 == 1 ? 2 : 1]
          try guest.migrate(to: target, blue)
          try pool.expect(guest.mac, in: blue, on: target, vif: guest.connected())
          #expect(try pool[3].binding(guest.mac, in: "blue")?.sequence == first + UInt64(move))
          try eventually(within: 3, "it is reached after move \(move)") { other.reaches(guest.ipv4) }
        }
      }
    }

    @Test("A VIF that is present at the destination long before the switch moves nothing")
    func presenceMovesNothing() throws {
      try withPool(3) { pool in
        let blue = try pool.network("blue")
        let guest = try pool.guest(on: pool[1], blue)
        let other = try pool.guest(on: pool[3], blue)
        try pool.expect(guest.mac, in: blue, on: pool[1])
        let ping = try other.ping(guest.ipv4, every: 0.01, in: pool)
        try ping.proceed(20)
        try guest.plug(into: pool[2], blue)
        // The waiting VIF puts its host on the flood list, so that the guest finds its segment when it runs.
        try eventually(within: 5, "host2 is on the flood list") {
          try pool[1].floodList("blue").contains(pool[2].address)
        }
        try always(for: 2, "the MAC stays on host1") {
          try pool.hosts.allSatisfy { try $0.binding(guest.mac, in: "blue")?.host == "host1" }
        }
        try ping.proceed(20)
        #expect(try ping.stop().lost == 0)
      }
    }

    @Test("A guest may move between two VIFs of one host")
    func localhostMigration() throws {
      try withPool(2) { pool in
        let blue = try pool.network("blue")
        let guest = try pool.guest(on: pool[1], blue)
        let neighbour = try pool.guest(on: pool[1], blue)
        let remote = try pool.guest(on: pool[2], blue)
        try expectAllReach([guest, neighbour, remote])
        let old = try #require(guest.connected())
        let pings = try [neighbour, remote].map { try $0.ping(guest.ipv4, every: 0.01, in: pool) }
        for ping in pings { try ping.proceed(20) }
        let own = try guest.migrate(to: pool[1], blue)
        let new = try #require(guest.connected())
        #expect(new.name != old.name)
        try pool.expect(guest.mac, in: blue, on: pool[1], vif: new)
        for ping in pings {
          try ping.proceed(20)
          let report = try ping.stop()
          report.expectMove(own)
        }
      }
    }

    @Test("After a migration that failed at the switch, the guest that transmits at the source again is found there")
    func failedMigration() throws {
      try withPool(3) { pool in
        let blue = try pool.network("blue")
        let guest = try pool.guest(on: pool[1], blue)
        let other = try pool.guest(on: pool[3], blue)
        try expectAllReach([guest, other])
        let source = try #require(guest.connected())
        let destination = try guest.plug(into: pool[2], blue)
        try guest.connect(destination)
        try guest.announce()
        try pool.expect(guest.mac, in: blue, on: pool[2], vif: destination)
        // The guest resumes at the source while the destination's VIF is still there, and sends no announcement: an
        // ordinary frame is all that host1 gets to see.
        try guest.connect(source, keepingCarrier: true)
        try guest.socket().send(
          Frame.ethernet(to: other.mac, from: guest.mac, payload: Frame.mark("here again")))
        try pool.expect(guest.mac, in: blue, on: pool[1], vif: source)
        try eventually(within: 3, "it is reached at the source") { other.reaches(guest.ipv4) }
        try guest.unplug(destination)
        try always(for: 1, "it stays at the source when the destination's VIF goes") {
          try pool[3].binding(guest.mac, in: "blue")?.host == "host1"
        }
      }
    }

    @Test("A destination that came and went without a guest changes nothing at the source")
    func abandonedMigration() throws {
      try withPool(3) { pool in
        let blue = try pool.network("blue")
        let guest = try pool.guest(on: pool[1], blue)
        let other = try pool.guest(on: pool[3], blue)
        try expectAllReach([guest, other])
        let ping = try other.ping(guest.ipv4, every: 0.01, in: pool)
        try ping.proceed(20)
        let destination = try guest.plug(into: pool[2], blue)
        try eventually(within: 5, "host2 is on the flood list") {
          try pool[3].floodList("blue").contains(pool[2].address)
        }
        try guest.unplug(destination)
        try eventually(within: 5, "host2 is off the flood list") {
          try !pool[3].floodList("blue").contains(pool[2].address)
        }
        try ping.proceed(50)
        #expect(try ping.stop().lost == 0)
        try pool.expect(guest.mac, in: blue, on: pool[1])
      }
    }

    @Test("A MAC that was given up is taken back when the winner goes, before the guest sends anything")
    func takenBack() throws {
      try withPool(3) { pool in
        let blue = try pool.network("blue")
        let guest = try pool.guest(on: pool[1], blue)
        _ = try pool.guest(on: pool[3], blue)
        let source = try #require(guest.connected())
        try pool.expect(guest.mac, in: blue, on: pool[1], vif: source)
        let destination = try guest.plug(into: pool[2], blue)
        try guest.connect(destination, keepingCarrier: true)
        try guest.announce()
        try pool.expect(guest.mac, in: blue, on: pool[2], vif: destination)
        try guest.unplug(destination)
        try pool.expect(guest.mac, in: blue, on: pool[1], vif: source)
      }
    }

    @Test("A move that is announced by RARP alone, as QEMU does it, is seen")
    func announcedByRARP() throws {
      try withPool(3) { pool in
        let blue = try pool.network("blue")
        let guest = try pool.guest(on: pool[1], blue)
        let other = try pool.guest(on: pool[3], blue)
        try expectAllReach([guest, other])
        let tap = try guest.plug(into: pool[2], blue, name: "tap77.0")
        try guest.connect(tap)
        try guest.socket().send(Frame.reverseARP(mac: guest.mac))
        try pool.expect(guest.mac, in: blue, on: pool[2], vif: tap)
        try eventually(within: 3, "it is reached at its new place") { other.reaches(guest.ipv4) }
      }
    }

    @Test("The same MAC on two hosts at once is shown as a duplicate with both VIFs, and the pool stays calm")
    func duplicateMAC() throws {
      try withPool(3) { pool in
        let blue = try pool.network("blue")
        let mac = "00:16:3e:dd:00:01"
        let original = try pool.guest(on: pool[1], blue, mac: mac)
        let copy = try pool.guest(on: pool[2], blue, mac: mac)
        let bystanders = try [pool.guest(on: pool[3], blue), pool.guest(on: pool[1], blue)]
        let names = try Set([#require(original.connected()).name, #require(copy.connected()).name])
        try eventually(within: 20, "host3 shows both VIFs of the duplicate") {
          try original.announce()
          try copy.announce()
          guard let binding = try pool[3].binding(mac, in: "blue"), binding.duplicate == true else { return false }
          return Set([binding.vif].compactMap { $0 } + (binding.rivals ?? []).compactMap(\.vif)) == names
        }
        // Each goes on transmitting: claims are damped, and other guests do not notice.
        let ping = try bystanders[0].ping(bystanders[1].ipv4, every: 0.01, in: pool)
        try ping.proceed(5)
        for _ in 0..<60 {
          try original.announce()
          try copy.announce()
          usleep(20_000)
        }
        try ping.proceed(20)
        #expect(try ping.stop().lost == 0)
        let sequence = try #require(try pool[3].binding(mac, in: "blue")?.sequence)
        #expect(sequence <= 64, "the claims ran up to \(sequence)")
      }
    }
  }
}
