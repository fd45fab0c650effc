import Associations
import Kernel
import Namespaces
import Testing
import Trust
import Wire

@testable import Agent

/// What keeps encrypted networks closed, as the agent sets it: here without ESP, so nothing is ever opened.
@Suite struct ProtectionTests {
  private static let key = VNI(77)
  private static let owner = SAOwner(pool: PoolID(high: 1, low: 1), host: HostID(high: 3, low: 3))

  private func association() throws -> Association {
    Association(
      peer: HostID(high: 1, low: 2), direction: .outbound, spi: try #require(SPI(0x1234)), local: .v4(0xc000_0201),
      remote: .v4(0xc000_0202), key: nil)
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
