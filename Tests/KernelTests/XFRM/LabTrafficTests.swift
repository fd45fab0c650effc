import Glibc
import Kernel
import Namespaces
import Testing
import Wire

@Suite(KernelLab.hasESP, KernelLab.hasGRE) struct LabTrafficTests {
  @Test(arguments: TunnelPair.Kind.allCases, [false, true])
  func aProtectedTunnelCarriesESPOnlyAndTheKernelCounts(kind: TunnelPair.Kind, isV6: Bool) throws {
    let pair = try TunnelPair(kind, isV6: isV6)
    let kernels = try pair.protect()
    // The locks of the packet filter let through what has IPsec.
    for host in [pair.a, pair.b] {
      try host.run {
        try PacketFilterLock().ensure(udpPort: TunnelPair.port, greKeys: [TunnelPair.number])
      }
    }
    _ = pair.witness.receive()
    #expect(try pair.isOpen())
    let seen = pair.witness.receive().compactMap(SeenPacket.init)
    #expect(seen.contains { $0.isESP && $0.spi == 0x1000 })
    #expect(!seen.contains { $0.isClear })
    let (sent, received) = (try kernels.a.use(of: 0x1000), try kernels.b.use(of: 0x1000))
    #expect(sent.packets == 1 && received.packets == 1)
    #expect(received.bytes > 84)
    for host in [pair.a, pair.b] {
      let drops = try host.run { try PacketFilterLock().counters() }
      #expect(drops.count == 4 && drops.allSatisfy { $0.packets == 0 })
    }
  }

  @Test(arguments: [false, true])
  func aPacketThatComesAgainAndOneThatWasChangedAreDroppedAndCounted(isInUDP: Bool) throws {
    let pair = try TunnelPair()
    let kernels = try pair.protect(isInUDP: isInUDP)
    let forger = try pair.a.run { try UnderlayWitness("eth0") }
    _ = pair.witness.receive()
    #expect(try pair.isOpen())
    let packet = try #require(pair.witness.receive().compactMap(SeenPacket.init).first { $0.isESP(inUDP: isInUDP) })
    let before = try pair.arrived()
    forger.send(packet.frame)
    var changed = packet.frame
    // A sequence number that was not seen, which the ICV covers.
    changed[packet.espStart + 7] += 100
    forger.send(changed)
    var used = try kernels.b.use(of: 0x1000)
    for _ in 0..<200 where used.replayed + used.integrityFailures < 2 {
      usleep(5000)
      used = try kernels.b.use(of: 0x1000)
    }
    #expect(used.replayed == 1)
    #expect(used.integrityFailures == 1)
    #expect(try pair.arrived() == before)
  }

  @Test(arguments: [false, true])
  func aPacketThatIsLateButInTheWindowIsTakenAndOneBeforeItIsNot(isInUDP: Bool) throws {
    let pair = try TunnelPair()
    let kernels = try pair.protect(isInUDP: isInUDP)
    let forger = try pair.a.run { try UnderlayWitness("eth0") }
    // b does not hear the first two.
    let held = try pair.holdBack(2).filter { $0.isESP(inUDP: isInUDP) }
    #expect(held.count == 2)
    try pair.a.run { _ = try? sh("ping -f -c 500 -W 1 198.51.100.2") }
    let before = try kernels.b.use(of: 0x1000)
    forger.send(try #require(held.first).frame)
    var used = try kernels.b.use(of: 0x1000)
    for _ in 0..<200 where used.packets == before.packets {
      usleep(5000)
      used = try kernels.b.use(of: 0x1000)
    }
    #expect(used.packets == before.packets + 1 && used.late == 0)
    for _ in 0..<20 where used.packets < 4200 {
      try pair.a.run { _ = try? sh("ping -f -c 1000 -W 1 198.51.100.2") }
      used = try kernels.b.use(of: 0x1000)
    }
    #expect(used.packets >= 4200 && used.integrityFailures == 0)
    // With extended numbers it is taken for one that is 2^32 later, for which its ICV is wrong.
    forger.send(try #require(held.last).frame)
    for _ in 0..<200 where used.late + used.integrityFailures == 0 {
      usleep(5000)
      used = try kernels.b.use(of: 0x1000)
    }
    #expect(used.late + used.integrityFailures == 1)
  }

  @Test(arguments: TunnelPair.Kind.allCases, [false, true])
  func theOutboundPolicyIsTurnedToAnotherSAUnderAFloodWithoutALoss(kind: TunnelPair.Kind, isInUDP: Bool) throws {
    let pair = try TunnelPair(kind)
    let kernels = try pair.protect(isInUDP: isInUDP)
    let next = pair.state(fromA: true, spi: 0x2000, isInUDP: isInUDP)
    // The receiver first.
    try kernels.b.add(next)
    try kernels.a.add(next)
    let flood = try Flood(pair, count: 400)
    var turns = 0
    while turns < 4000, try !flood.isOver() {
      for _ in 0..<5 {
        turns += 1
        let spi: UInt32 = turns.isMultiple(of: 2) ? 0x1000 : 0x2000
        #expect(kernels.a.replace([try #require(pair.protection(atA: true, spi: spi).last)]).isEmpty)
        usleep(5000)
      }
    }
    let answered = try flood.end()
    #expect(answered.count >= 400 && answered == Array(1...answered.count), "lost, or twice, or overtaken")
    #expect(turns > 10)
    for spi: UInt32 in [0x1000, 0x2000] { #expect(try kernels.b.use(of: spi).packets > 0) }
    #expect(!pair.witness.receive().contains { SeenPacket($0)?.isClear == true })
  }

  @Test(arguments: TunnelPair.Kind.allCases, [false, true])
  func withoutItsSAOrItsPolicyNothingLeaves(kind: TunnelPair.Kind, isV6: Bool) throws {
    for isInUDP in [false, true] {
      try withoutItsSAOrItsPolicyNothingLeaves(TunnelPair(kind, isV6: isV6), isInUDP: isInUDP)
    }
  }

  private func withoutItsSAOrItsPolicyNothingLeaves(_ pair: TunnelPair, isInUDP: Bool) throws {
    let kernels = try pair.protect(isInUDP: isInUDP)
    #expect(try pair.isOpen())
    try pair.a.run { try sh("ip xfrm state delete src \(pair.vtepA) dst \(pair.vtepB) proto esp spi 0x1000") }
    _ = pair.witness.receive()
    try pair.send()
    func tunnelPackets() -> Int {
      pair.witness.receive().compactMap(SeenPacket.init).filter {
        $0.isClear || $0.isESP || $0.isESPInUDP
      }.count
    }
    #expect(tunnelPackets() == 0, "the SA is gone")
    // Another SA, since a key is never used twice.
    try kernels.b.add(pair.state(fromA: true, spi: 0x2000, isInUDP: isInUDP))
    try kernels.a.add(pair.state(fromA: true, spi: 0x2000, isInUDP: isInUDP))
    #expect(kernels.a.replace(pair.protection(atA: true, spi: 0x2000)).isEmpty)
    #expect(try pair.isOpen())
    _ = pair.witness.receive()
    #expect(kernels.a.remove(pair.protection(atA: true, spi: 0x2000)).isEmpty)
    try pair.send()
    #expect(tunnelPackets() == 0, "its policies are gone, the blocks stand")
    #expect(kernels.a.replace(pair.protection(atA: true, spi: 0x2000)).isEmpty)
    #expect(try pair.isOpen())
    // The receiver's SA.
    try kernels.b.remove(source: pair.vtepA, destination: pair.vtepB, spi: 0x2000)
    let before = try pair.arrived()
    try pair.send()
    #expect(try pair.arrived() == before)
  }

  @Test func whatOthersHaveInXFRMSurvivesAllThatWeDo() throws {
    let pair = try TunnelPair()
    try pair.a.run {
      try sh(
        """
        ip xfrm state add src \(pair.vtepA) dst \(pair.vtepB) proto esp spi 0x4444 reqid 7 mode transport \
        aead 'rfc4106(gcm(aes))' 0x\(String(repeating: "02", count: 36)) 128
        ip xfrm policy add src \(pair.vtepA) dst \(pair.vtepB) proto udp dport 500 dir out priority 22341 \
        tmpl src \(pair.vtepA) dst \(pair.vtepB) proto esp reqid 7 mode transport
        """)
    }
    func others() throws -> String {
      try pair.a.run { try sh("ip xfrm state list reqid 7; ip xfrm policy list | grep -B3 -A1 'reqid 7 '") }
    }
    let before = try others()
    #expect(before.contains("0x00004444") && before.contains("dport 500"))
    let kernels = try pair.protect()
    #expect(try pair.isOpen())
    try kernels.a.removeStrangePolicies()
    for (state, _) in try kernels.a.states() {
      try kernels.a.remove(source: state.source, destination: state.destination, spi: state.spi)
    }
    #expect(kernels.a.remove(try kernels.a.policies()).isEmpty)
    #expect(try others() == before)
  }
}

/// Pings through the tunnel, one every 5 ms, beside the test.
private struct Flood {
  private let file: String
  private let pid: pid_t
  private let count: Int

  /// - Parameter count: of answers after which it is over.
  init(_ pair: TunnelPair, count: Int) throws {
    self.count = count
    let file = "\(try sh("mktemp").dropLast())"
    self.file = file
    let pid = try pair.a.run { try sh("ping -i 0.005 198.51.100.2 > \(file) 2>&1 < /dev/null & echo $!") }
    self.pid = try #require(pid_t(pid.dropLast()))
  }

  func isOver() throws -> Bool { try answers("grep -c 'bytes from' \(file) || true").first ?? 0 >= count }

  /// Ends it.
  ///
  /// - Returns: the numbers of the pings that were answered, in the order of the answers.
  func end() throws -> [Int] {
    kill(pid, SIGINT)
    #expect(eventually { (try? sh("grep -q 'packets transmitted' \(file)")) != nil })
    return try answers("sed -n 's/.*icmp_seq=\\([0-9]*\\).*/\\1/p' \(file); rm \(file)")
  }

  private func answers(_ command: String) throws -> [Int] {
    try sh(command).split(separator: "\n").compactMap { Int($0) }
  }
}
