import Glibc
import Kernel
import Namespaces
import Testing
import Wire

/// ESP in UDP between two kernels.
@Suite(KernelLab.hasESP, KernelLab.hasGRE) struct LabEncapsulationTests {
  @Test(arguments: TunnelPair.Kind.allCases, [false, true])
  func aProtectedTunnelCarriesESPInUDPOnlyAndTheKernelCounts(kind: TunnelPair.Kind, isV6: Bool) throws {
    let pair = try TunnelPair(kind, isV6: isV6)
    let kernels = try pair.protect(isInUDP: true)
    for host in [pair.a, pair.b] {
      try host.run {
        _ = try PacketFilterLock().ensure(udpPort: TunnelPair.port, greKeys: [TunnelPair.number])
      }
    }
    let back = try pair.a.run { try UnderlayWitness("eth0") }
    _ = pair.witness.receive()
    #expect(try pair.isOpen())
    for (witness, spi) in [(pair.witness, UInt32(0x1000)), (back, 0x1001)] {
      let seen = witness.receive().compactMap(SeenPacket.init)
      let packets = seen.filter { $0.isESPInUDP && $0.spi == spi }
      #expect(packets.count == 1)
      // A checksum only where IPv6 wants one.
      #expect(packets.allSatisfy { ($0.number(6, 2) == 0) == !isV6 })
      #expect(!seen.contains { $0.isClear || $0.isESP })
    }
    #expect(try kernels.a.use(of: 0x1000).packets == 1 && kernels.b.use(of: 0x1000).packets == 1)
    #expect(try kernels.b.use(of: 0x1001).packets == 1 && kernels.a.use(of: 0x1001).packets == 1)
    // As large as the tunnel takes, in one piece.
    #expect(try pair.a.run { (try? sh("ping -c 1 -W 1 -M do -s 1372 198.51.100.2")) != nil })
    for host in [pair.a, pair.b] {
      let drops = try host.run { try PacketFilterLock().counters() }
      #expect(drops.count == 4 && drops.allSatisfy { $0.packets == 0 })
    }
    #expect(pair.sockets.allSatisfy { $0.drain() == 0 }, "nothing of it is seen at the sockets")
  }

  /// Puts packets with a mark in them into the tunnel at a.
  private func sendMarked(_ pair: TunnelPair) throws {
    try pair.a.run { _ = try? sh("ping -c 3 -i 0.05 -W 0.1 -s 200 -p feedc0de 198.51.100.2") }
  }

  private func isMarked(_ frame: [UInt8]) -> Bool {
    let mark: [UInt8] = [0xfe, 0xed, 0xc0, 0xde]
    return (0...frame.count - mark.count).contains { frame[$0..<$0 + mark.count].elementsEqual(mark) }
  }

  @Test(arguments: TunnelPair.Kind.allCases, [false, true])
  func withoutTheSocketNothingComesInAndNothingIsSaidInClear(kind: TunnelPair.Kind, isV6: Bool) throws {
    let pair = try TunnelPair(kind, isV6: isV6)
    #expect(try pair.isOpen())
    try sendMarked(pair)
    #expect(pair.witness.receive().contains(where: isMarked), "without keys the mark is seen")
    let kernels = try pair.protect(isInUDP: true)
    #expect(try pair.isOpen())
    let back = try pair.a.run { try UnderlayWitness("eth0") }
    pair.sockets.removeLast()
    _ = pair.witness.receive()
    let before = try pair.arrived()
    try sendMarked(pair)
    #expect(try pair.arrived() == before)
    let sent = pair.witness.receive()
    #expect(sent.compactMap(SeenPacket.init).contains { $0.isESPInUDP })
    // "Port unreachable" (RFC 792, RFC 4443), which quotes what had come.
    var answers: [SeenPacket] = []
    for _ in 0..<200 where answers.isEmpty {
      let seen = back.receive()
      #expect(!seen.contains(where: isMarked))
      answers = seen.compactMap(SeenPacket.init).filter {
        $0.ipProtocol == (isV6 ? 58 : 1) && $0.number(0, 1) == (isV6 ? 1 : 3)
      }
      usleep(10_000)
    }
    let answer = try #require(answers.first)
    #expect(answer.number(0, 2) == (isV6 ? 0x0104 : 0x0303))
    let quoted = isV6 ? 8 + 40 : 8 + 20
    #expect(answer.number(quoted, 4) == UInt32(7678) << 16 | 7678 && answer.number(quoted + 8, 4) == 0x1000)
    for frame in sent { #expect(!isMarked(frame) && SeenPacket(frame)?.isClear != true) }
    // The socket is all that was missing.
    pair.sockets.append(try pair.b.run { try ESPInUDPSocket(local: pair.vtepB) })
    #expect(try pair.isOpen())
    #expect(try kernels.b.use(of: 0x1000).packets > 0)
  }

  @Test(arguments: [false, true])
  func anotherFormThanThatOfTheSAIsDropped(isInUDP: Bool) throws {
    let pair = try TunnelPair()
    let kernels = try pair.protect(isInUDP: true)
    #expect(try pair.isOpen())
    try kernels.a.add(pair.state(fromA: true, spi: 0x2000, isInUDP: isInUDP))
    try kernels.b.add(pair.state(fromA: true, spi: 0x2000, isInUDP: !isInUDP))
    #expect(kernels.a.replace(pair.protection(atA: true, spi: 0x2000)).isEmpty)
    _ = pair.witness.receive()
    let before = try pair.arrived()
    try pair.send()
    #expect(pair.witness.receive().compactMap(SeenPacket.init).contains { $0.isESP(inUDP: isInUDP) })
    #expect(try pair.arrived() == before)
    #expect(try kernels.b.use(of: 0x2000).packets == 0)
  }

  @Test func aPacketOfThePeerFromAnotherAddressIsNotTaken() throws {
    let pair = try TunnelPair()
    let kernels = try pair.protect(isInUDP: true)
    #expect(try pair.isOpen())
    let forger = try pair.a.run { try UnderlayWitness("eth0") }
    let held = try pair.holdBack(2).filter(\.isESPInUDP)
    let (first, second) = (try #require(held.first), try #require(held.last))
    let (before, used) = (try pair.arrived(), try kernels.b.use(of: 0x1000).packets)
    // From 192.0.2.(1 + 2), with the checksum of IPv4 put right.
    var frame = first.frame
    frame[29] += 2
    let sum = UInt16(frame[24]) << 8 | UInt16(frame[25])
    let changed = sum >= 2 ? sum - 2 : sum &- 3
    (frame[24], frame[25]) = (UInt8(changed >> 8), UInt8(truncatingIfNeeded: changed))
    forger.send(frame)
    for _ in 0..<200 where try kernels.b.use(of: 0x1000).packets == used { usleep(5000) }
    #expect(try kernels.b.use(of: 0x1000).packets == used + 1, "it is opened")
    #expect(try pair.arrived() == before, "and fits no policy")
    forger.send(second.frame)
    for _ in 0..<200 where try pair.arrived() == before { usleep(5000) }
    #expect(try pair.arrived() == before + 1, "the address was what kept it out")
    #expect(try pair.isOpen())
  }

  /// At b, SAs in UDP stand; at a, nothing, so that its packets are clear.
  @Test(arguments: TunnelPair.Kind.allCases, [false, true])
  func eitherLockAloneKeepsClearPacketsOutWhileSAsInUDPStand(kind: TunnelPair.Kind, isFilter: Bool) throws {
    let pair = try TunnelPair(kind)
    let kernels = try pair.protect(isInUDP: true)
    #expect(try pair.isOpen())
    #expect(kernels.a.remove(try kernels.a.policies()).isEmpty)
    if isFilter {
      #expect(kernels.b.remove(try kernels.b.policies()).isEmpty)
      try pair.send()
      #expect(try pair.isOpen(), "without a lock it passes")
      try pair.b.run {
        _ = try PacketFilterLock().ensure(udpPort: TunnelPair.port, greKeys: [TunnelPair.number])
      }
    }
    _ = pair.witness.receive()
    let before = try pair.arrived()
    try pair.send()
    #expect(pair.witness.receive().contains { SeenPacket($0)?.isClear == true })
    #expect(try pair.arrived() == before)
    // And with keys at a as well it passes this lock.
    #expect(kernels.a.replace(pair.protection(atA: true, spi: 0x1000)).isEmpty)
    try pair.send()
    #expect(try pair.arrived() > before)
  }

  @Test(arguments: TunnelPair.Kind.allCases, [false, true])
  func eitherLockAloneKeepsClearPacketsInWhileSAsInUDPStand(kind: TunnelPair.Kind, isFilter: Bool) throws {
    let pair = try TunnelPair(kind)
    let kernels = try pair.protect(isInUDP: true)
    #expect(try pair.isOpen())
    // Of the policies those that protect are gone; the blocks too where the filter is to hold alone.
    let gone = try kernels.a.policies().filter { policy in
      if case .block = policy.action { isFilter } else { true }
    }
    if isFilter {
      try pair.a.run {
        _ = try PacketFilterLock().ensure(udpPort: TunnelPair.port, greKeys: [TunnelPair.number])
      }
      #expect(try pair.isOpen(), "what has IPsec passes the filter")
    }
    #expect(kernels.a.remove(gone).isEmpty)
    _ = pair.witness.receive()
    try pair.send()
    try pair.a.run { #expect(pings(pair.vtepB.description)) }
    let seen = pair.witness.receive().compactMap(SeenPacket.init)
    #expect(!seen.isEmpty && !seen.contains { $0.isClear || $0.isESP || $0.isESPInUDP })
  }
}
