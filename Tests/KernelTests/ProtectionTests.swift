import Associations
import Glibc
import Namespaces
import Testing
import Trust
import Wire

@testable import Agent
@testable import Kernel

/// What keeps encrypted networks closed, as the agent sets it: here without ESP, so nothing is ever opened.
@Suite struct ProtectionTests {
  private static let key = VNI(77)
  private static let owner = SAOwner(pool: PoolID(high: 1, low: 1), host: HostID(high: 3, low: 3))

  private func association(_ spi: UInt32 = 0x1234, of host: UInt64 = 2) throws -> Association {
    Association(
      peer: HostID(high: 1, low: host), direction: .outbound, spi: try #require(SPI(spi)), local: .v4(0xc000_0201),
      remote: .v4(0xc000_0202), key: nil)
  }

  /// While `body` runs nothing can be asked by this socket.
  private func withoutAnswers(_ socket: NetlinkSocket, _ body: () throws -> Void) throws {
    let (saved, null) = (dup(socket.descriptor), open("/dev/null", O_RDWR | O_CLOEXEC))
    try #require(saved >= 0 && null >= 0 && dup2(null, socket.descriptor) >= 0)
    defer {
      dup2(saved, socket.descriptor)
      close(saved)
      close(null)
    }
    try body()
  }

  /// In a fresh namespace, with a protection that has closed one GRE key.
  private func withClosed(_ body: (Protection, VNI) throws -> Void) throws {
    let key = try #require(Self.key)
    try Namespace().run {
      let protection = try Protection(KernelAbilities.Protection(esp: nil, policyLock: nil, filterLock: nil))
      protection.close(greKeys: [key])
      #expect(protection.locks.policies == nil && protection.locks.filter == nil)
      try body(protection, key)
    }
  }

  private func blocks() throws -> Int {
    Int(try sh("ip xfrm policy | grep -c 'action block priority 22342' || true").filter(\.isNumber)) ?? 0
  }

  private func expect(
    blocks expectedBlocks: Int, rules expectedRules: Int, _ location: SourceLocation = #_sourceLocation
  ) throws {
    let (blocks, rules) = (try blocks(), try rules())
    #expect(blocks == expectedBlocks, sourceLocation: location)
    #expect(rules == expectedRules, sourceLocation: location)
  }

  private func rules() throws -> Int {
    Int(try sh("nft list ruleset | grep -c 'ipsec missing' || true").filter(\.isNumber)) ?? 0
  }

  @Test func bothLocksStandForThePortAndEachKey() throws {
    try withClosed { protection, _ in
      try expect(blocks: 8, rules: 4)
      protection.close(greKeys: [])
      try expect(blocks: 4, rules: 2)
    }
  }

  @Test(
    "A later run keeps a key closed that only one of the locks still closes",
    arguments: ["ip xfrm policy flush", "nft flush ruleset"])
  func adoption(damage: String) throws {
    try withClosed { _, key in
      try sh(damage)
      let next = try Protection(KernelAbilities.Protection(esp: nil, policyLock: nil, filterLock: nil))
      #expect(!next.isClosed(key))
      _ = try next.adopt(local: .v4(0xc000_0201), owner: Self.owner)
      #expect(next.isClosed(key))
      next.repair(try next.look(), known: [])
      try expect(blocks: 8, rules: 4)
    }
  }

  @Test(
    "What an earlier run closed stays closed while it cannot be looked at, and is known once it can",
    arguments: ["true", "nft flush ruleset"])
  func blindAdoption(damage: String) throws {
    try withClosed { _, key in
      try sh(damage)
      let own = try #require(VNI(78))
      let next = try Protection(KernelAbilities.Protection(esp: nil, policyLock: nil, filterLock: nil))
      try withoutAnswers(next.xfrm.socket) {
        #expect(throws: KernelError.self) { try next.adopt(local: .v4(0xc000_0201), owner: Self.owner) }
      }
      next.close(greKeys: [own])
      try expect(blocks: 12, rules: damage == "true" ? 6 : 4)
      // A look for somebody who only wants to see opens nothing either.
      _ = try next.look()
      next.close(greKeys: [own])
      try expect(blocks: 12, rules: damage == "true" ? 6 : 4)
      _ = try next.adopt(local: .v4(0xc000_0201), owner: Self.owner)
      #expect(next.closedKeys == [key, own])
      next.repair(try next.look(), known: [])
      try expect(blocks: 12, rules: 6)
    }
  }

  @Test("Of two hosts that are known at one address, the one that frames go to keeps them, whichever comes first")
  func twoHostsAtOneAddress() throws {
    try withClosed { protection, _ in
      let (old, new) = (try association(0x1234, of: 2), try association(0x5678, of: 3))
      protection.repair(try protection.look(), known: [new])
      for known in [[old, new], [new, old]] {
        protection.repair(try protection.look(), known: known)
        let policies = try sh("ip xfrm policy")
        #expect(policies.contains("spi 0x00005678") && !policies.contains("spi 0x00001234"))
      }
      protection.close(old)
      #expect(try sh("ip xfrm policy").contains("spi 0x00005678"))
      protection.repair(try protection.look(), known: [old])
      #expect(try sh("ip xfrm policy").contains("spi 0x00001234"), "the other one is gone")
    }
  }

  @Test func aLookFindsWhatSomeoneTookAwayAndRepairPutsItBack() throws {
    try withClosed { protection, _ in
      try sh("ip xfrm policy flush; nft flush ruleset")
      try expect(blocks: 0, rules: 0)
      protection.repair(try protection.look(), known: [])
      try expect(blocks: 8, rules: 4)
    }
  }

  @Test func aFilterThatSomeoneFlushedIsBackAsSoonAsTheNoticeIsRead() throws {
    try withClosed { protection, _ in
      #expect(try !protection.filterMonitorReadable())
      try sh("nft add table inet other")
      #expect(try !protection.filterMonitorReadable())
      try sh("nft flush ruleset")
      try expect(blocks: 8, rules: 0)
      #expect(try protection.filterMonitorReadable())
      try expect(blocks: 8, rules: 4)
      #expect(try !protection.filterMonitorReadable())
      // Somebody may have looked before the notice was read.
      try sh("nft flush ruleset")
      _ = try protection.look()
      #expect(try protection.filterMonitorReadable())
      try expect(blocks: 8, rules: 4)
    }
  }

  @Test func whatIsTakenAwayAtTheEndIsOursAlone() throws {
    try withClosed { protection, _ in
      try sh("ip xfrm policy add dir out dst 198.51.100.9/32 action block priority 9")
      try sh("nft add table inet other")
      #expect(protection.removeAll().isEmpty)
      #expect(try sh("ip xfrm policy | grep -c priority").contains("1"))
      #expect(try sh("nft list tables").contains("other"))
      try expect(blocks: 0, rules: 0)
    }
  }

  @Test func whatOpensGoesAloneWhereWhatClosesIsNeeded() throws {
    try withClosed { protection, _ in
      protection.repair(try protection.look(), known: [try association()])
      #expect(try sh("ip xfrm policy").contains("spi 0x00001234"))
      #expect(protection.removeAll(keepsLocks: true).isEmpty)
      #expect(try !sh("ip xfrm policy").contains("spi 0x00001234"))
      try expect(blocks: 8, rules: 4)
    }
  }

  @Test func theNextOwnerTakesUpWhatClosesAndNothingThatOpens() throws {
    try withClosed { protection, key in
      _ = try protection.adopt(local: .v4(0xc000_0201), owner: Self.owner)
      protection.repair(try protection.look(), known: [try association()])
      let next = SAOwner(pool: PoolID(high: 2, low: 2), host: Self.owner.host)
      #expect(try protection.adopt(local: .v4(0xc000_0201), owner: next).isEmpty)
      #expect(try !sh("ip xfrm policy").contains("spi 0x00001234"))
      #expect(protection.isClosed(key))
      try expect(blocks: 8, rules: 4)
    }
  }

  @Test("Policies for an SA that the core does not use any more go with the next look") func policiesFollowTheCore()
    throws
  {
    try withClosed { protection, _ in
      let association = try association()
      protection.repair(try protection.look(), known: [association])
      #expect(try sh("ip xfrm policy").contains("spi 0x00001234"))
      protection.repair(try protection.look(), known: [association], isInUse: { _ in false })
      #expect(try !sh("ip xfrm policy").contains("spi 0x00001234"))
      try expect(blocks: 8, rules: 4)
    }
  }
}
