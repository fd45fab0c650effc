import Overlay
import Registry
import Testing
import Wire

@Suite struct GREPlanTests {
  static let blue = PlanTests.blue
  /// Hosts whose tunnels are wr25.1, wr25.2, …
  static func peer(_ number: UInt64) -> HostID { HostID(high: number << 29, low: 7) }

  static func input(_ peers: [UInt64: UInt32] = [2: 2, 3: 3], local: UInt32 = 1) throws -> NetworkPlanInput {
    var input = try PlanTests.input(encapsulation: .gre, local: local)
    for (number, vtep) in peers { input.peers[peer(number)] = PlanTests.vtep(vtep) }
    return input
  }

  private func changes(from observed: OverlayState, to desired: OverlayState) -> [Change] {
    OverlayState.plan(from: observed, to: desired).flatMap(\.changes)
  }

  @Test func aNewNetworkHasATunnelToEveryMemberAndFloodsWhereTheListSays() throws {
    var input = try Self.input([2: 2, 3: 3, 4: 4])
    input.flood = [PlanTests.vtep(3)]
    let wanted = PlanTests.desired(input)
    let state = try #require(wanted.networks[Self.blue])
    let tunnels = try ["wr25.2", "wr25.3", "wr25.4"].map { try #require(state.tunnels[$0]) }
    #expect(state.tunnels.count == 3 && state.flood.isEmpty && state.tunnelEntries.isEmpty)
    #expect(
      changes(from: OverlayState(), to: wanted) == [
        .ensureBridge(try #require(state.bridge)), .ensureTunnel(tunnels[0]), .ensureTunnel(tunnels[1]),
        .ensureTunnel(tunnels[2]), .startFlooding(PlanTests.vtep(3), tunnel: "wr25.3"),
        .setPort(PlanTests.mac(0x21), port: "wr25.2"), .setPort(PlanTests.mac(0x31), port: "wr25.3"),
      ])
    #expect(
      tunnels.map(\.kind) == [
        .gre(remote: PlanTests.vtep(2)), .gre(remote: PlanTests.vtep(3)), .gre(remote: PlanTests.vtep(4)),
      ])
    #expect(Set(tunnels.map(\.mac)).count == 3 && tunnels[0].bridge == "weft-blue" && tunnels[0].mtu == 1446)
  }

  @Test func whatStandsAsWantedNeedsNoChange() throws {
    #expect(changes(from: PlanTests.standing(try Self.input()), to: PlanTests.desired(try Self.input())).isEmpty)
  }

  @Test func neitherThisHostNorOneOfTheOtherKindOfAddressHasATunnel() throws {
    var input = try Self.input()
    input.peers[PlanTests.host] = PlanTests.vtep(9)
    input.peers[Self.peer(8)] = input.localVTEP
    input.peers[Self.peer(9)] = .v6(high: 0x2001_0db8 << 32, low: 9)
    #expect(PlanTests.desired(input) == PlanTests.desired(try Self.input()))
  }

  @Test func aMACWhoseHostHasNoTunnelYetHasNoEntryAndGetsOneWithTheTunnel() throws {
    let before = try Self.input([3: 3])
    #expect(PlanTests.desired(before).networks[Self.blue]?.bridgeEntries[PlanTests.mac(0x21)] == nil)
    let steps = changes(from: PlanTests.standing(before), to: PlanTests.desired(try Self.input()))
    #expect(
      steps.dropFirst() == [
        .startFlooding(PlanTests.vtep(2), tunnel: "wr25.2"), .setPort(PlanTests.mac(0x21), port: "wr25.2"),
      ])
  }

  @Test func aMACThatMovesBetweenHostsIsOneReplaceAndTheFloodingEndsLast() throws {
    var wanted = try Self.input()
    wanted.remote[PlanTests.mac(0x21)] = PlanTests.vtep(3)
    wanted.flood = [PlanTests.vtep(3)]
    #expect(
      changes(from: PlanTests.standing(try Self.input()), to: PlanTests.desired(wanted)) == [
        .setPort(PlanTests.mac(0x21), port: "wr25.3"), .stopFlooding(PlanTests.vtep(2), tunnel: "wr25.2"),
      ])
  }

  @Test func aMemberThatGoesTakesItsTunnelAlongLastOfAll() throws {
    var wanted = try Self.input([3: 3])
    wanted.remote = [PlanTests.mac(0x21): PlanTests.vtep(3), PlanTests.mac(0x31): PlanTests.vtep(3)]
    wanted.flood = [PlanTests.vtep(3)]
    let alias = OverlayAlias(pool: "lab", network: Self.blue)
    #expect(
      changes(from: PlanTests.standing(try Self.input()), to: PlanTests.desired(wanted)) == [
        .setPort(PlanTests.mac(0x21), port: "wr25.3"),
        .removeTunnel(name: "wr25.2", alias: alias, serves: PlanTests.vtep(2)),
      ])
  }

  @Test func addressesThatMoveAreFollowedInPlaceInAnOrderThatTheKernelTakes() throws {
    let found = PlanTests.standing(try Self.input([2: 2, 3: 3, 4: 4]))
    let wanted = PlanTests.desired(try Self.input([2: 3, 3: 4, 4: 5]))
    let tunnels = try #require(wanted.networks[Self.blue]?.tunnels)
    let steps = changes(from: found, to: wanted)
    #expect(
      steps.prefix(3).map { $0 } == ["wr25.4", "wr25.3", "wr25.2"].compactMap { tunnels[$0].map { .ensureTunnel($0) } })
    let allLocal = changes(from: found, to: PlanTests.desired(try Self.input([2: 2, 3: 3, 4: 4], local: 9)))
    #expect(allLocal.count == 3, "an address of this host's own is changed in place")
  }

  @Test func addressesThatTwoHostsExchangeCostOneOfThemItsTunnelForAMoment() throws {
    let found = PlanTests.standing(try Self.input())
    let wanted = PlanTests.desired(try Self.input([2: 3, 3: 2]))
    var kernel = found
    let steps = changes(from: found, to: wanted)
    for step in steps { kernel.carryOut(step, Self.blue) }
    #expect(changes(from: kernel, to: wanted).isEmpty)
    #expect(steps.filter { if case .removeTunnel = $0 { true } else { false } }.count == 1)
  }

  @Test func aHostInstalledAnewTakesTheAddressOfTheOldOne() throws {
    // Both are members until someone evicts the old one: the kernel takes one tunnel to the address.
    let both = PlanTests.desired(try Self.input([2: 2, 5: 2, 3: 3]))
    #expect(both.networks[Self.blue]?.tunnels.keys.sorted() == ["wr25.2", "wr25.3"])
    let wanted = PlanTests.desired(try Self.input([5: 2, 3: 3]))
    let tunnel = try #require(wanted.networks[Self.blue]?.tunnels["wr25.5"])
    #expect(
      changes(from: PlanTests.standing(try Self.input([2: 2, 5: 2, 3: 3])), to: wanted) == [
        .removeTunnel(name: "wr25.2", alias: OverlayAlias(pool: "lab", network: Self.blue), serves: nil),
        .ensureTunnel(tunnel), .startFlooding(PlanTests.vtep(2), tunnel: "wr25.5"),
        .setPort(PlanTests.mac(0x21), port: "wr25.5"),
      ])
  }

  @Test func hostsWhoseIDsBeginAlikeHaveTunnelsOfTheirOwn() throws {
    var input = try Self.input([:])
    for number in 0..<3 as Range<UInt64> {
      input.peers[HostID(high: 5 << 29 | number, low: number << 40)] = PlanTests.vtep(UInt32(20 + number))
    }
    let tunnels = try #require(PlanTests.desired(input).networks[Self.blue]?.tunnels)
    #expect(tunnels.count == 3 && Set(tunnels.values.compactMap(\.remote)).count == 3)
  }

  @Test func aTunnelOfTheWrongKindIsMadeAnewWithItsEntriesAndTheOthersAreLeftAlone() throws {
    var found = PlanTests.standing(try Self.input())
    found.networks[Self.blue]?.tunnels["wr25.2"]?.isWrongForLife = true
    let wanted = PlanTests.desired(try Self.input())
    let tunnel = try #require(wanted.networks[Self.blue]?.tunnels["wr25.2"])
    #expect(
      changes(from: found, to: wanted) == [
        .removeTunnel(name: "wr25.2", alias: OverlayAlias(pool: "lab", network: Self.blue), serves: nil),
        .ensureTunnel(tunnel), .startFlooding(PlanTests.vtep(2), tunnel: "wr25.2"),
        .setPort(PlanTests.mac(0x21), port: "wr25.2"),
      ])
  }

  @Test func aNetworkThatIsNoMoreTakesAllItsTunnelsAlong() throws {
    let alias = OverlayAlias(pool: "lab", network: Self.blue)
    #expect(
      changes(from: PlanTests.standing(try Self.input()), to: OverlayState()) == [
        .removeTunnel(name: "wr25.2", alias: alias, serves: nil),
        .removeTunnel(name: "wr25.3", alias: alias, serves: nil), .removeBridge(name: "weft-blue", alias: alias),
      ])
  }

  @Test func aStrangersDeviceOfATunnelsNameIsAProblemAndNoChange() throws {
    let found = OverlayState(others: ["wr25.3": .some("theirs")])
    #expect(
      OverlayState.plan(from: found, to: PlanTests.desired(try Self.input()))
        == [NetworkPlan(network: Self.blue, changes: [], problem: .nameTaken(device: "wr25.3", alias: "theirs"))])
  }
}
