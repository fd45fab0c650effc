import Kernel
import Testing

/// Each lock by itself, against real GRE packets.
@Suite(KernelLab.hasGRE) struct LabLockTests {
  @Test(arguments: LockTests.Lock.allCases, [false, true])
  func noGREPacketLeavesInClear(lock: LockTests.Lock, isV6: Bool) throws {
    try LockTests.nothingLeaves(lock, TunnelPair(.gre, isV6: isV6))
  }

  @Test(arguments: LockTests.Lock.allCases, [false, true])
  func noClearGREPacketComesIn(lock: LockTests.Lock, isV6: Bool) throws {
    try LockTests.nothingComesIn(lock, TunnelPair(.gre, isV6: isV6))
  }

  @Test func otherGREKeysPass() throws {
    let pair = try TunnelPair(.gre)
    let other = TunnelPair.number ^ 0x10
    try pair.a.run {
      let blocks = [XFRMPolicy.Direction.input, .output].map {
        XFRMPolicy(direction: $0, traffic: .gre(key: other), action: .block(isV6: false))
      }
      #expect(try KernelXFRM().replace(blocks).isEmpty)
      try PacketFilterLock().ensure(udpPort: TunnelPair.port, greKeys: [other])
    }
    #expect(try pair.isOpen())
  }
}
