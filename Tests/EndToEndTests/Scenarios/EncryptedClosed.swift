import Glibc
import Testing

extension EndToEnd.Encrypted {
  /// Whatever is missing, nothing of an encrypted network is on the wire in clear, and nothing in clear comes in.
  @Suite struct Closed {
    @Test(
      "Each lock closes alone, and so does what is left when SAs, policies or the filter are deleted by hand",
      .enabled(if: TestRun.path == .kernel, "in user space there is nothing of it that could be deleted by hand"),
      arguments: [false, true])
    func tampering(isV6: Bool) throws {
      try withPair(isV6: isV6) { pair in
        let witness = try Witness(pair.pool)
        var marks: [[UInt8]] = []
        for tampering in Tampering.closed {
          try pair.frozen {
            try tampering.apply(pair.pool[1], pair.pool[2])
            marks.append(try pair.attempt(tampering.name))
          }
          try pair.expectRepaired(after: tampering.name)
        }
        try witness.stop().expectSealed(marks, atLeast: 50)

        // The same with nothing left to close it: the witness sees the frames and the forged ones come in, so the tests
        // above could have failed.
        let other = try Witness(pair.pool)
        let (mark, heard) = try pair.frozen {
          try Tampering.open.apply(pair.pool[1], pair.pool[2])
          return try pair.send("both locks deleted")
        }
        try pair.expectRepaired(after: "both locks deleted")
        let kinds = try other.stop().kinds(holding: mark)
        #expect(kinds.contains(.bareProtectedVXLAN), "the witness is blind for VXLAN: \(kinds)")
        #expect(
          kinds.contains { if case .bareGRE = $0 { true } else { false } }, "the witness is blind for GRE: \(kinds)")
        #expect(heard == ["vxlan", "gre"], "forged frames that came in: \(heard)")
      }
    }

    @Test("An agent that is killed, stopped or starting leaves the networks closed", arguments: [false, true])
    func agentAway(isV6: Bool) throws {
      try withPair(isV6: isV6) { pair in
        let host = pair.pool[1]
        let witness = try Witness(pair.pool)
        var marks: [[UInt8]] = []
        for (how, end) in [("killed", host.crashAgent), ("stopped", host.stopAgent)] as [(String, () throws -> Void)] {
          try end()
          marks.append(try pair.attempt("agent \(how)"))
          // It stays closed when the SAs go meanwhile, and while the next agent starts.
          try host.namespace.ip("xfrm", "state", "flush")
          marks.append(try pair.attempt("agent \(how), SAs deleted"))
          let pings = try pair.guests.map {
            try $0.guests[0].ping($0.guests[1].ipv4, every: 0.02, mark: Array("weft test: start".utf8), in: pair.pool)
          }
          marks.append(Array("weft test: start".utf8))
          try host.start()
          marks.append(try pair.attempt("agent started after it was \(how)"))
          try pair.expectRepaired(after: "a start")
          for ping in pings { _ = try ping.stop() }
        }
        // A machine that lost power: a kernel without anything of ours, in which the agent makes all anew.
        try pair.pool.reboot(host)
        try host.start()
        try pair.pool.settle(within: 30)
        for network in pair.guests {
          try eventually(within: 10, "\(network.view.name) stands on host1 again") {
            try host.namespace.link(network.view.bridge) != nil
          }
          try network.guests[0].connect(try network.guests[0].plug(into: host, network.view))
        }
        marks.append(try pair.attempt("after a power cut"))
        try pair.expectRepaired(after: "a power cut")
        try witness.stop().expectSealed(marks, atLeast: 50)
      }
    }

    /// Its kernel opens what comes and finds nobody to take it: the error that it answers with would quote the frame.
    @Test("A host that lacks its tunnels answers nothing in clear", arguments: [false, true])
    func tunnelsMissing(isV6: Bool) throws {
      try withPair(isV6: isV6) { pair in
        let witness = try Witness(pair.pool)
        let mark = Array("weft test: gone!".utf8)
        try pair.frozen {
          let namespace = pair.pool[1].namespace
          for link in try namespace.links() where ["wx", "wr", "wt"].contains(link.ifname.prefix(2)) {
            try namespace.ip("link", "delete", link.ifname)
          }
          for network in pair.guests {
            let (from, to) = (network.guests[1], network.guests[0])
            _ = try run(
              from.namespace.command(
                ["ping", "-n", "-q", "-c", "10", "-i", "0.1", "-W", "1", "-p", mark.map { hexByte(Int($0)) }.joined()]
                  + [to.ipv4]))
          }
        }
        try witness.stop().expectSealed([mark], atLeast: 10)
        try pair.expectRepaired(after: "tunnels were deleted")
      }
    }

    @Test("An evicted host and the pool it was in say nothing to each other, in clear neither")
    func evicted() throws {
      try withPair(isV6: false) { pair in
        let witness = try Witness(pair.pool)
        try pair.pool[2].weft("host", "evict", "host1")
        var marks = [try pair.attempt("evicted")]
        try always(for: 3, "the guests are apart") {
          pair.guests.allSatisfy { !$0.guests[0].reaches($0.guests[1].ipv4) }
        }
        marks.append(try pair.attempt("evicted a while ago"))
        try witness.stop().expectSealed(marks)
      }
    }
  }
}

/// Two hosts, an encrypted network of each encapsulation, and a guest of each on each host.
private struct Pair {
  var pool: TestPool
  var guests: [(view: NetworkView, guests: [Guest])]

  /// Runs `body` while the agent of host1 does nothing, so that nothing is repaired meanwhile.
  func frozen<Result>(_ body: () throws -> Result) throws -> Result {
    pool[1].agent?.signal(SIGSTOP)
    defer { pool[1].agent?.signal(SIGCONT) }
    return try body()
  }

  /// Guests send marked frames to each other, and a machine on the underlay sends forged ones to host1: none comes in.
  func attempt(_ what: String) throws -> [UInt8] {
    let (mark, heard) = try send(what)
    #expect(heard.isEmpty, "\(what): forged frames in clear came in by \(heard)")
    return mark
  }

  /// - Returns: the mark of all frames, and the encapsulations by which forged ones reached a guest of host1.
  func send(_ what: String) throws -> (mark: [UInt8], heard: Set<String>) {
    let mark = Frame.mark(what)
    let forged = Frame.mark("forged: \(what)")
    var heard: Set<String> = []
    for (view, guests) in guests {
      for (from, to) in [(guests[0], guests[1]), (guests[1], guests[0])] {
        for destination in [to.mac, Frame.broadcast] {
          for _ in 0..<3 { try from.socket().send(Frame.ethernet(to: destination, from: from.mac, payload: mark)) }
        }
      }
      let wire = try guests[0].wire()
      let inner = Frame.ethernet(to: Frame.broadcast, from: guests[1].mac, payload: forged)
      for _ in 0..<3 { try forge(view, inner) }
      if !wire.receive(marked: forged, within: 0.3).isEmpty { heard.insert(view.encap) }
    }
    return (mark, heard)
  }

  private func forge(_ network: NetworkView, _ inner: [UInt8]) throws {
    let (target, source) = (pool[1], pool[2])
    let macs = try [source, target].map { try $0.namespace.link("eth0")?.address ?? "" }
    let frame = ForgedFrame(from: (source.address, macs[0]), to: (target.address, macs[1]), isV6: pool.isV6)
    let bytes =
      network.encap == "gre"
      ? try frame.gre(key: network.vni, inner) : try frame.vxlan(port: 7679, vni: network.vni, inner)
    // Out of the underlay's end of the link, so that it is the next thing that host1 hears.
    try PacketSocket(in: pool.underlay, device: target.underlayPort).send(bytes)
  }

  func expectRepaired(after what: String) throws {
    for (view, guests) in guests {
      for (from, to) in [(guests[0], guests[1]), (guests[1], guests[0])] {
        try eventually(within: 20, "after \(what) \(view.name) carries again") { from.reaches(to.ipv4) }
      }
    }
  }
}

private func withPair(isV6: Bool, _ scenario: (Pair) throws -> Void) throws {
  try withPool(2, isV6: isV6) { pool in
    let guests = try Carriage.Encapsulation.allCases.map { encapsulation in
      let network = try pool.encryptedNetwork(encapsulation.rawValue, encapsulation)
      return (view: network, guests: try (1...2).map { try pool.guest(on: pool[$0], network) })
    }
    let pair = Pair(pool: pool, guests: guests)
    try pair.expectRepaired(after: "the start")
    try pool.expectKeys()
    try scenario(pair)
  }
}
