import Associations
import Kernel
import Namespaces
import Overlay
import Registry
import Testing
import Trust
import Wire

@testable import Agent

/// Tunnels by GRE that another pool's agent left behind: their keys stay closed for as long as they stand.
@Suite(KernelLab.hasGRE, KernelLab.hasESP) struct GREForeignKeyTests {
  private static let foreign: UInt32 = 99

  private func input() throws -> NetworkPlanInput {
    NetworkPlanInput(
      id: .test, name: "blue", vni: try .test(77), bridge: "weft-blue", encapsulation: .gre, encryption: .required,
      mtu: 1400, localVTEP: try .test("192.0.2.1"), flood: [])
  }

  private func closesByPolicy(_ key: UInt32) throws -> Bool {
    try sh("ip xfrm policy list").contains("proto gre key \(key) ")
  }

  private func closesByFilter(_ key: UInt32) throws -> Bool {
    try sh("nft list ruleset").contains("@th,32,32 0x\(String(key, radix: 16)) ")
  }

  /// On a host where an agent of another pool ended and left a tunnel with the foreign key, closed by both locks.
  private func withLeftTunnel(alias: String?, _ body: (KernelSide, Protection) throws -> Void) throws {
    try Namespace().run {
      try addUnderlay()
      let left = try Protection(KernelAbilities.Protection(esp: nil, policyLock: nil, filterLock: nil))
      left.close(greKeys: [try .test(Self.foreign)])
      try sh(
        "ip link add wr2r.2 type gretap local 192.0.2.1 remote 192.0.2.2 key \(Self.foreign) && ip link set wr2r.2 up")
      if let alias { try sh("ip link set wr2r.2 alias '\(alias)'") }
      let side = try KernelSide(underlay: "192.0.2.1", dataPlane: .kernel)
      let protection = try #require(side.protection, "\(side.choice.reason)")
      side.enter(pool: "test")
      let owner = SAOwner(pool: PoolID(high: 1, low: 1), host: HostID(high: 3, low: 3))
      _ = try protection.adopt(local: .test("192.0.2.1"), owner: owner)
      try body(side, protection)
    }
  }

  private func reconcile(_ side: KernelSide, _ inputs: [NetworkPlanInput], gone: Set<NetworkID> = []) throws {
    try side.refresh(inputs, host: .test)
    side.closeBefore(inputs)
    side.openFreed()
    let outcome = side.bringAbout(inputs, gone: gone, host: .test, now: .test, keeps: keepsNothing)
    #expect(outcome.failures.isEmpty && outcome.complaints.isEmpty)
  }

  @Test(arguments: ["weft:other:11111111-1111-4111-8111-111111111199", nil])
  func theyStayClosedWhileThisPoolsNetworksComeAndGoAndAreFreedBehindTheirTunnel(alias: String?) throws {
    try withLeftTunnel(alias: alias) { side, protection in
      let (own, foreign) = (try VNI.test(77), try VNI.test(Self.foreign))
      try reconcile(side, [input()])
      #expect(protection.isClosed(own) && protection.isClosed(foreign))
      try reconcile(side, [], gone: [.test])
      #expect(!protection.isClosed(own) && protection.isClosed(foreign))
      #expect(try closesByPolicy(Self.foreign))
      #expect(try closesByFilter(Self.foreign))
      #expect(try side.network.link(named: "wr2r.2") != nil, "it is not this pool's to remove")
      try sh("ip link del wr2r.2")
      try reconcile(side, [])
      #expect(!protection.isClosed(foreign))
      #expect(try !closesByPolicy(Self.foreign) && !closesByFilter(Self.foreign))
    }
  }

  @Test func theyStayClosedAsLongAsNobodyCouldLookWhetherTheirTunnelStands() throws {
    try withLeftTunnel(alias: nil) { side, protection in
      let outcome = side.bringAbout([try input()], gone: [], host: .test, now: .test, keeps: keepsNothing)
      #expect(outcome.failures.isEmpty)
      #expect(try protection.isClosed(.test(77)) && protection.isClosed(.test(Self.foreign)))
      #expect(try closesByPolicy(Self.foreign))
      #expect(try closesByFilter(Self.foreign))
      try reconcile(side, [input()])
      #expect(try protection.isClosed(.test(Self.foreign)))
    }
  }

  @Test func whatSomebodyElseTunnelsWithAClosedKeyIsNotKept() throws {
    try withLeftTunnel(alias: "a tunnel of others") { side, protection in
      let foreign = try VNI.test(Self.foreign)
      #expect(protection.isClosed(foreign), "as found")
      try reconcile(side, [])
      #expect(!protection.isClosed(foreign))
    }
  }
}
