import Kernel
import Namespaces
import Testing
import Wire

/// Each lock by itself, against real tunnel packets.
@Suite struct LockTests {
  enum Lock: CaseIterable {
    case blocks
    case policiesWithoutSA
    case filter
  }

  private func close(_ lock: Lock, _ pair: TunnelPair, atA: Bool) throws {
    switch lock {
    case .blocks: #expect(try KernelXFRM().replace(pair.blocks()).isEmpty)
    case .policiesWithoutSA: #expect(try KernelXFRM().replace(pair.protection(atA: atA, spi: 0x100)).isEmpty)
    case .filter:
      try PacketFilterLock().ensure(
        udpPort: TunnelPair.port, greKeys: pair.kind == .gre ? [TunnelPair.number] : [])
    }
  }

  private func open(_ lock: Lock, _ pair: TunnelPair, atA: Bool) throws {
    switch lock {
    case .blocks: #expect(try KernelXFRM().remove(pair.blocks()).isEmpty)
    case .policiesWithoutSA: #expect(try KernelXFRM().remove(pair.protection(atA: atA, spi: 0x100)).isEmpty)
    case .filter: try PacketFilterLock().remove()
    }
  }

  static func nothingLeaves(_ lock: Lock, _ pair: TunnelPair, _ test: LockTests = LockTests()) throws {
    #expect(try pair.isOpen(), "without a lock it passes")
    #expect(pair.witness.receive().contains { SeenPacket($0)?.isClear == true })
    try pair.a.run { try test.close(lock, pair, atA: true) }
    try pair.send()
    // Other traffic of the hosts passes, and comes after what was not to leave.
    try pair.a.run { #expect(pings(pair.vtepB.description)) }
    let seen = pair.witness.receive().compactMap(SeenPacket.init)
    #expect(!seen.isEmpty)
    #expect(!seen.contains { $0.isClear || $0.isESP })
    try pair.a.run { try test.open(lock, pair, atA: true) }
    #expect(try pair.isOpen(), "the lock was what kept it")
  }

  static func nothingComesIn(_ lock: Lock, _ pair: TunnelPair, _ test: LockTests = LockTests()) throws {
    #expect(try pair.isOpen(), "without a lock it passes")
    try pair.b.run { try test.close(lock, pair, atA: false) }
    let before = try pair.arrived()
    _ = pair.witness.receive()
    try pair.send()
    #expect(pair.witness.receive().contains { SeenPacket($0)?.isClear == true }, "it came to the host")
    #expect(try pair.arrived() == before)
    try pair.b.run { try test.open(lock, pair, atA: false) }
    #expect(try pair.isOpen(), "the lock was what kept it")
  }

  @Test(arguments: Lock.allCases, [false, true])
  func noVXLANPacketLeavesInClear(lock: Lock, isV6: Bool) throws {
    try Self.nothingLeaves(lock, TunnelPair(.vxlan, isV6: isV6))
  }

  @Test(arguments: Lock.allCases, [false, true])
  func noClearVXLANPacketComesIn(lock: Lock, isV6: Bool) throws {
    try Self.nothingComesIn(lock, TunnelPair(.vxlan, isV6: isV6))
  }

  @Test(arguments: [false, true])
  func blocksLeaveOtherPortsAlone(isV6: Bool) throws {
    let pair = try TunnelPair(.vxlan, isV6: isV6)
    let other = XFRMPolicy(direction: .output, traffic: .udp(port: 7680), action: .block(isV6: isV6))
    let otherFamily = XFRMPolicy(
      direction: .output, traffic: .udp(port: TunnelPair.port), action: .block(isV6: !isV6))
    #expect(try pair.a.run { try KernelXFRM().replace([other, otherFamily]) }.isEmpty)
    #expect(try pair.isOpen())
  }

  @Test func anAdminWhoSwitchesPoliciesOffIsNoticedAndTheFilterStillHolds() throws {
    let pair = try TunnelPair()
    try pair.a.run {
      try close(.blocks, pair, atA: true)
      #expect(KernelXFRM.underlayBypass(interface: "eth0") == nil)
      try sh("for name in xfrm policy; do echo 1 > /proc/sys/net/ipv4/conf/eth0/disable_$name; done")
      #expect(KernelXFRM.underlayBypass(interface: "eth0") != nil)
    }
    #expect(try pair.isOpen(), "the setting does switch the first lock off")
    try pair.a.run { try close(.filter, pair, atA: true) }
    #expect(try pair.isOpen() == false)
  }
}
