import Overlay
import Registry
import Testing
import Wire

@Suite struct TAPPlanTests {
  private static let kernel: Set<Mechanism> = [.kernelVXLANInESP, .kernelGREInESP]
  private static let user: Set<Mechanism> = [.userVXLANInESP, .userGREInESP]
  private static let alias = OverlayAlias(pool: "lab", network: PlanTests.blue)

  private static func input(_ encapsulation: Encapsulation) throws -> NetworkPlanInput {
    var input = try PlanTests.input(encapsulation: encapsulation, encryption: .required)
    for number in [2, 3] as [UInt64] {
      input.peers[GREPlanTests.peer(number)] = PlanTests.vtep(UInt32(number))
    }
    return input
  }

  private static func desired(_ input: NetworkPlanInput, by mechanisms: Set<Mechanism>) -> OverlayState {
    var state = OverlayState.desired([input], pool: "lab", host: PlanTests.host, mechanisms: mechanisms).state
    state.networks[PlanTests.blue]?.ports = ["vif1.0"]
    return state
  }

  private static func changes(from observed: OverlayState, to desired: OverlayState) -> [Change] {
    OverlayState.plan(from: observed, to: desired).flatMap(\.changes)
  }

  @Test(arguments: [Encapsulation.vxlan, .gre])
  func oneTAPLeadsToAllHostsWhateverTheEncapsulation(_ encapsulation: Encapsulation) throws {
    let wanted = Self.desired(try Self.input(encapsulation), by: Self.user)
    let state = try #require(wanted.networks[PlanTests.blue])
    let tap = try #require(state.tunnels["wt77"])
    #expect(state.tunnels.count == 1 && tap.kind == .tap(encapsulation) && tap.remote == nil && tap.isTAP)
    #expect(tap.bridge == "weft-blue" && tap.mtu == 1446)
    #expect(
      Self.changes(from: OverlayState(), to: wanted) == [
        .ensureBridge(try #require(state.bridge)), .ensureTunnel(tap),
        .addFlood(PlanTests.vtep(2), tunnel: "wt77"), .addFlood(PlanTests.vtep(3), tunnel: "wt77"),
        .setRemote(PlanTests.mac(0x21), PlanTests.vtep(2), tunnel: "wt77"),
        .setRemote(PlanTests.mac(0x31), PlanTests.vtep(3), tunnel: "wt77"),
      ], "the local MAC waits for its port to be in the bridge")
  }

  @Test func aTAPThatNobodyServesIsBroughtAboutAgainAndKeepsItsEntries() throws {
    let wanted = Self.desired(try Self.input(.vxlan), by: Self.user)
    var found = wanted
    found.networks[PlanTests.blue]?.tunnels["wt77"]?.isSound = false
    let tap = try #require(wanted.networks[PlanTests.blue]?.tunnels["wt77"])
    #expect(Self.changes(from: found, to: wanted) == [.ensureTunnel(tap)])
  }

  @Test func aTAPStaysWhenTheAddressOfThisHostBecomesOneOfTheOtherFamily() throws {
    let found = Self.desired(try Self.input(.vxlan), by: Self.user)
    var moved = try Self.input(.vxlan)
    moved.localVTEP = .v6(high: 0x2001_0db8 << 32, low: 9)
    moved.flood = []
    moved.remote = [:]
    let wanted = Self.desired(moved, by: Self.user)
    let tap = try #require(wanted.networks[PlanTests.blue]?.tunnels["wt77"])
    #expect(Self.changes(from: found, to: wanted).first == .ensureTunnel(tap))
    #expect(!Self.changes(from: found, to: wanted).contains { if case .removeTunnel = $0 { true } else { false } })
  }

  /// With both in the bridge a flooded frame would come in by one and go out by the other.
  @Test(arguments: [Encapsulation.vxlan, .gre], [true, false])
  func theOtherPathsDevicesGoBeforeThoseOfTheChosenOneCome(
    _ encapsulation: Encapsulation, _ toUser: Bool
  ) throws {
    let input = try Self.input(encapsulation)
    let (before, after) = toUser ? (Self.kernel, Self.user) : (Self.user, Self.kernel)
    var state = Self.desired(input, by: before)
    let wanted = Self.desired(input, by: after)
    for change in Self.changes(from: state, to: wanted) {
      state.carryOut(change, PlanTests.blue)
      let kinds = Set(state.networks[PlanTests.blue]?.tunnels.values.map(\.isTAP) ?? [])
      #expect(kinds.count < 2, "after \(change)")
    }
    #expect(Self.changes(from: state, to: wanted).isEmpty)
    #expect(state.networks[PlanTests.blue] == wanted.networks[PlanTests.blue])
  }

  @Test func theKernelIsPreferredWhereBothPathsAreThere() throws {
    let both = Self.kernel.union(Self.user)
    #expect(Mechanism.choose(.vxlan, .required, from: both) == .kernelVXLANInESP)
    #expect(Mechanism.choose(.gre, .required, from: Self.user) == .userGREInESP)
    #expect(Mechanism.choose(.gre, .off, from: both) == nil, "frames in clear always are the kernel's")
    #expect(Mechanism.allCases.allSatisfy { $0.isProtected || !$0.isInUserSpace })
  }

  @Test func aNetworkThatNoPathCarriesSaysWhatBothLack() throws {
    let reasons: [Mechanism: String] = [.kernelVXLANInESP: "No ESP.", .userVXLANInESP: "No TAP."]
    let (state, problems) = OverlayState.desired(
      [try Self.input(.vxlan)], pool: "lab", host: PlanTests.host, mechanisms: [], reasons: reasons)
    #expect(state.networks.isEmpty && state.suspended == [PlanTests.blue])
    #expect(problems[PlanTests.blue] == .cannotEncrypt(network: "blue", .vxlan, reason: "No ESP. No TAP."))
  }

  @Test func theNameOfATAPTellsItsNetworkAndNoOtherNameDoes() throws {
    let largest = try #require(VNI(0xff_ffff))
    #expect(OverlayNames.tap(largest) == "wt16777215")
    #expect(OverlayNames.vni(ofTAP: "wt16777215") == largest)
    for name in ["wt", "wt0", "wt01", "wt+1", "wt16777216", "wx1", "vif1.0", "wt1 "] {
      #expect(OverlayNames.vni(ofTAP: name) == nil, "\(name)")
    }
  }
}
