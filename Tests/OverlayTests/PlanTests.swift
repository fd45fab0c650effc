import Overlay
import Registry
import Testing
import Wire

@Suite struct PlanTests {
  static let host = HostID(high: 1, low: 2)
  static let blue = NetworkID(high: 0x1111_1111_1111_4111, low: 0x8111_1111_1111_1111)
  static let red = NetworkID(high: 0x2222_2222_2222_4222, low: 0x8222_2222_2222_2222)

  static func mac(_ number: UInt64) -> MACAddress { MACAddress(0x0200_5e00_0000 | number) ?? .zero }
  static func vtep(_ number: UInt32) -> VTEP { .v4(0xc000_0200 | number) }

  static func input(
    _ id: NetworkID = blue, vni: UInt32 = 77, bridge: String = "weft-blue", encapsulation: Encapsulation = .vxlan,
    encryption: Encryption = .off, mtu: Int = 1446, local: UInt32 = 1, conflict: String? = nil
  ) throws -> NetworkPlanInput {
    NetworkPlanInput(
      id: id, name: "blue", vni: try #require(VNI(vni)), bridge: bridge, encapsulation: encapsulation,
      encryption: encryption, mtu: mtu, localVTEP: vtep(local), remote: [mac(0x21): vtep(2), mac(0x31): vtep(3)],
      local: [mac(0x11): "vif1.0"], flood: [vtep(2), vtep(3)], conflict: conflict)
  }

  static func desired(_ inputs: NetworkPlanInput...) -> OverlayState {
    OverlayState.desired(inputs, pool: "lab", host: host, mechanisms: Set(Mechanism.allCases)).state
  }

  /// The wanted state as a look at the kernel would show it once it stands.
  static func standing(_ inputs: NetworkPlanInput...) -> OverlayState {
    var state = OverlayState.desired(inputs, pool: "lab", host: host, mechanisms: Set(Mechanism.allCases)).state
    for id in state.networks.keys { state.networks[id]?.ports = ["vif1.0", "vif2.0"] }
    return state
  }

  private func changes(from observed: OverlayState, to desired: OverlayState) -> [Change] {
    OverlayState.plan(from: observed, to: desired).flatMap(\.changes)
  }

  @Test func whatStandsAsWantedNeedsNoChange() throws {
    #expect(OverlayState.plan(from: Self.standing(try Self.input()), to: Self.desired(try Self.input())).isEmpty)
  }

  @Test func aNewNetworkIsMadeFromTheBridgeOn() throws {
    let wanted = Self.desired(try Self.input())
    let state = try #require(wanted.networks[Self.blue])
    let (bridge, tunnel) = (try #require(state.bridge), try #require(state.tunnels["wx77"]))
    #expect(
      changes(from: OverlayState(), to: wanted) == [
        .ensureBridge(bridge), .ensureTunnel(tunnel), .addFlood(Self.vtep(2), tunnel: "wx77"),
        .addFlood(Self.vtep(3), tunnel: "wx77"), .setRemote(Self.mac(0x21), Self.vtep(2), tunnel: "wx77"),
        .setRemote(Self.mac(0x31), Self.vtep(3), tunnel: "wx77"),
      ], "the local MAC waits for its port to be in the bridge")
    #expect(
      bridge.name == "weft-blue" && tunnel.name == "wx77" && tunnel.kind == .vxlan(port: 7680)
        && tunnel.bridge == "weft-blue")
    #expect(bridge.alias.description == "weft:lab:\(Self.blue)")
  }

  @Test func aMACThatMovesIsReplacedAndNeverDeletedAndAdded() throws {
    var wanted = try Self.input()
    wanted.remote[Self.mac(0x21)] = Self.vtep(3)
    #expect(
      changes(from: Self.standing(try Self.input()), to: Self.desired(wanted))
        == [.setRemote(Self.mac(0x21), Self.vtep(3), tunnel: "wx77")])
  }

  @Test func aMACThatArrivesHereIsSetOnItsPortBeforeItsTunnelEntryGoes() throws {
    var wanted = try Self.input()
    wanted.remote[Self.mac(0x21)] = nil
    wanted.local[Self.mac(0x21)] = "vif2.0"
    #expect(
      changes(from: Self.standing(try Self.input()), to: Self.desired(wanted)) == [
        .setPort(Self.mac(0x21), port: "vif2.0"), .removeTunnelEntry(Self.mac(0x21), tunnel: "wx77"),
      ])
  }

  @Test func aMACThatLeavesForAnotherHostIsOneReplace() throws {
    var wanted = try Self.input()
    wanted.local[Self.mac(0x11)] = nil
    wanted.remote[Self.mac(0x11)] = Self.vtep(2)
    #expect(
      changes(from: Self.standing(try Self.input()), to: Self.desired(wanted))
        == [.setRemote(Self.mac(0x11), Self.vtep(2), tunnel: "wx77")])
  }

  @Test func aLearnedEntryOnTheWrongPortIsReplacedAndOthersAreLeftAlone() throws {
    var found = Self.standing(try Self.input())
    found.networks[Self.blue]?.bridgeEntries[Self.mac(0x21)] = BridgeEntry(port: "vif2.0", isFixed: false)
    found.networks[Self.blue]?.bridgeEntries[Self.mac(0x11)] = BridgeEntry(port: "vif1.0", isFixed: false)
    found.networks[Self.blue]?.bridgeEntries[Self.mac(0x77)] = BridgeEntry(port: "vif2.0", isFixed: false)
    #expect(
      changes(from: found, to: Self.desired(try Self.input())) == [
        .setPort(Self.mac(0x11), port: "vif1.0"), .setRemote(Self.mac(0x21), Self.vtep(2), tunnel: "wx77"),
      ])
  }

  @Test func newFloodEntriesComeBeforeRemovals() throws {
    var wanted = try Self.input()
    wanted.flood = [Self.vtep(3), Self.vtep(4)]
    wanted.remote = [Self.mac(0x31): Self.vtep(4)]
    #expect(
      changes(from: Self.standing(try Self.input()), to: Self.desired(wanted)) == [
        .addFlood(Self.vtep(4), tunnel: "wx77"), .setRemote(Self.mac(0x31), Self.vtep(4), tunnel: "wx77"),
        .removeBridgeEntry(Self.mac(0x21), port: "wx77"), .removeTunnelEntry(Self.mac(0x21), tunnel: "wx77"),
        .removeFlood(Self.vtep(2), tunnel: "wx77"),
      ])
  }

  @Test func theFloodListAndTheEntriesNeverNameThisHost() throws {
    var wanted = try Self.input()
    wanted.flood.insert(wanted.localVTEP)
    wanted.remote[Self.mac(0x41)] = wanted.localVTEP
    wanted.remote[Self.mac(0x11)] = Self.vtep(2)
    let state = try #require(Self.desired(wanted).networks[Self.blue])
    #expect(state.flood == [Self.vtep(2), Self.vtep(3)])
    #expect(state.tunnelEntries[Self.mac(0x41)] == nil)
    #expect(state.tunnelEntries[Self.mac(0x11)] == nil && state.bridgeEntries[Self.mac(0x11)]?.port == "vif1.0")
  }

  @Test func whatCanBeChangedLiveIsChangedLive() throws {
    let found = Self.standing(try Self.input())
    let wanted = Self.desired(try Self.input(mtu: 1400, local: 9))
    let state = try #require(wanted.networks[Self.blue])
    #expect(
      changes(from: found, to: wanted)
        == [.ensureBridge(try #require(state.bridge)), .ensureTunnel(try #require(state.tunnels["wx77"]))])
  }

  @Test func aTunnelThatCannotBeChangedIsMadeAnewWithAllItsEntries() throws {
    var found = Self.standing(try Self.input())
    found.networks[Self.blue]?.tunnels["wx77"]?.isWrongForLife = true
    let wanted = Self.desired(try Self.input())
    let state = try #require(wanted.networks[Self.blue])
    let steps = changes(from: found, to: wanted)
    #expect(
      steps.first == .removeTunnel(name: "wx77", alias: OverlayAlias(pool: "lab", network: Self.blue), serves: nil))
    #expect(steps.dropFirst().first == .ensureTunnel(try #require(state.tunnels["wx77"])))
    #expect(steps.count == 6, "two flood entries and two MACs are set again")
  }

  @Test func aTunnelThatLeftItsBridgeGetsItsBridgeEntriesBack() throws {
    var found = Self.standing(try Self.input())
    found.networks[Self.blue]?.tunnels["wx77"]?.bridge = nil
    let steps = changes(from: found, to: Self.desired(try Self.input()))
    #expect(steps.contains(.setRemote(Self.mac(0x21), Self.vtep(2), tunnel: "wx77")))
    #expect(!steps.contains(.addFlood(Self.vtep(2), tunnel: "wx77")))
  }

  @Test func anUnsoundBridgeOrTunnelIsEnsuredAndNothingElseIsTouched() throws {
    var found = Self.standing(try Self.input())
    found.networks[Self.blue]?.bridge?.isSound = false
    found.networks[Self.blue]?.tunnels["wx77"]?.isSound = false
    let wanted = Self.desired(try Self.input())
    let state = try #require(wanted.networks[Self.blue])
    #expect(
      changes(from: found, to: wanted)
        == [.ensureBridge(try #require(state.bridge)), .ensureTunnel(try #require(state.tunnels["wx77"]))])
  }

  @Test func aNetworkThatIsNoMoreTakesItsDevicesAlong() throws {
    let alias = OverlayAlias(pool: "lab", network: Self.blue)
    #expect(
      changes(from: Self.standing(try Self.input()), to: OverlayState())
        == [.removeTunnel(name: "wx77", alias: alias, serves: nil), .removeBridge(name: "weft-blue", alias: alias)])
  }

  @Test func aStrangersDeviceOfThatNameIsAProblemAndNoChange() throws {
    for name in ["weft-blue", "wx77"] {
      let found = OverlayState(others: [name: .some("theirs")])
      let plans = OverlayState.plan(from: found, to: Self.desired(try Self.input()))
      #expect(
        plans == [NetworkPlan(network: Self.blue, changes: [], problem: .nameTaken(device: name, alias: "theirs"))])
      #expect(plans.first?.problem?.description.contains("remove or rename it") == true)
    }
  }

  @Test func aBridgeOfAnotherNetworkThatStaysIsAProblem() throws {
    let found = Self.standing(try Self.input(Self.red, vni: 78))
    let wanted = Self.desired(try Self.input(), try Self.input(Self.red, vni: 78))
    let plans = OverlayState.plan(from: found, to: wanted)
    #expect(plans.map(\.network) == [Self.blue] && plans.first?.changes == [])
    guard case .nameTaken = plans.first?.problem else {
      Issue.record("\(plans)")
      return
    }
  }

  @Test func aNetworkThatGoesMakesRoomForOneThatTakesItsBridge() throws {
    let found = Self.standing(try Self.input(Self.red, vni: 78))
    let plans = OverlayState.plan(from: found, to: Self.desired(try Self.input()))
    #expect(plans.map(\.network) == [Self.red, Self.blue])
    #expect(plans.allSatisfy { $0.problem == nil } && plans[1].changes.count == 6)
  }

  @Test func aNetworkInConflictCarriesNothingAndKeepsItsBridgeUnlessTheWinnerNeedsIt() throws {
    let loser = try Self.input(Self.red, vni: 77, bridge: "weft-red", conflict: "VNI 77 belongs to an earlier network.")
    let found = Self.standing(try Self.input(Self.red, vni: 77, bridge: "weft-red"))
    let alias = OverlayAlias(pool: "lab", network: Self.red)
    #expect(changes(from: found, to: Self.desired(loser)) == [.removeTunnel(name: "wx77", alias: alias, serves: nil)])

    let sameBridge = try Self.input(Self.red, vni: 78, conflict: "The bridge belongs to an earlier network.")
    let before = Self.standing(try Self.input(Self.red, vni: 78))
    let plans = OverlayState.plan(from: before, to: Self.desired(try Self.input(), sameBridge))
    #expect(plans.first?.changes.contains(.removeBridge(name: "weft-blue", alias: alias)) == true)
    #expect(plans.last?.network == Self.blue && plans.last?.problem == nil)
  }

  @Test func aHostThatCannotEncryptMakesNoTunnelForANetworkThatRequiresIt() throws {
    let input = try Self.input(encryption: .required)
    let (state, problems) = OverlayState.desired(
      [input], pool: "lab", host: Self.host, mechanisms: [.kernelVXLANInClear, .kernelGREInESP],
      reasons: [.kernelVXLANInESP: "The module seqiv is missing."])
    #expect(state.networks.isEmpty)
    #expect(problems == [Self.blue: .cannotEncrypt(network: "blue", .vxlan, reason: "The module seqiv is missing.")])
    #expect(problems[Self.blue]?.description.contains("VXLAN in ESP): The module seqiv is missing. 'weft") == true)
    #expect(problems[Self.blue]?.description.contains("--encryption off") == true)
    #expect(
      changes(from: Self.standing(try Self.input()), to: state).count == 1, "a tunnel in clear goes, the bridge stays")
  }

  @Test func aNetworkOfAKindThatThisHostCannotCarryIsAProblemThatNamesTheReason() throws {
    let none = OverlayState.desired([try Self.input()], pool: "lab", host: Self.host, mechanisms: [])
    #expect(none.problems == [Self.blue: .cannotCarry(network: "blue", .vxlan, reason: nil)])
    #expect(none.problems[Self.blue]?.description.contains("by VXLAN. 'weft doctor'") == true)
    let gre = OverlayState.desired(
      [try Self.input(encapsulation: .gre)], pool: "lab", host: Self.host, mechanisms: [.kernelVXLANInClear],
      reasons: [.kernelGREInClear: "No ip_gre."])
    #expect(gre.problems == [Self.blue: .cannotCarry(network: "blue", .gre, reason: "No ip_gre.")])
  }

  @Test func everyKindOfNetworkHasItsOwnMechanisms() throws {
    var seen: [Mechanism] = []
    for encapsulation in Encapsulation.allCases {
      for encryption in [Encryption.off, .required] {
        let ways = Mechanism.ways(encapsulation, encryption)
        #expect(ways.allSatisfy { $0.isProtected == (encryption == .required) })
        for way in ways { #expect(Mechanism.choose(encapsulation, encryption, from: [way]) == way) }
        let others = Set(Mechanism.allCases).subtracting(ways)
        #expect(Mechanism.choose(encapsulation, encryption, from: others) == nil)
        seen += ways
      }
    }
    #expect(seen.count == Mechanism.allCases.count && Set(seen) == Set(Mechanism.allCases))
  }

  @Test func anEncryptedNetworkHasItsOwnUDPPortAndIsNeverMadeOfTheTunnelInClear() throws {
    let found = Self.standing(try Self.input())
    let wanted = Self.desired(try Self.input(encryption: .required))
    let tunnel = try #require(wanted.networks[Self.blue]?.tunnels["wx77"])
    #expect(tunnel.kind == .vxlan(port: 7679))
    let steps = changes(from: found, to: wanted)
    #expect(
      steps.first
        == .removeTunnel(name: "wx77", alias: OverlayAlias(pool: "lab", network: Self.blue), serves: nil))
    #expect(steps.dropFirst().first == .ensureTunnel(tunnel))
  }

  @Test func theSameStatesGiveTheSamePlan() throws {
    var wanted = try Self.input()
    for number in 0..<200 as Range<UInt64> { wanted.remote[Self.mac(0x1000 + number)] = Self.vtep(2) }
    let first = OverlayState.plan(from: OverlayState(), to: Self.desired(wanted))
    for _ in 0..<5 { #expect(OverlayState.plan(from: OverlayState(), to: Self.desired(wanted)) == first) }
  }
}
