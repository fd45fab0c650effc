import Overlay
import Testing

@testable import Agent

/// Which packet path is chosen, for every wish and everything that a host may lack.
@Suite struct PathChoiceTests {
  private static let noESP: [Mechanism: String] = [.kernelVXLANInESP: "No ESP.", .kernelGREInESP: "No ESP."]
  private static let noGRE: [Mechanism: String] = [.kernelGREInESP: "No GRE.", .kernelGREInClear: "No GRE."]

  private static let advice =
    "Start weftd with --dataplane auto, which lets user space carry what the kernel cannot."

  struct Case: Sendable, CustomTestStringConvertible {
    var wanted: Settings.DataPlane
    var kernel: [Mechanism: String]
    var user: String?
    var path: PathChoice.Path?
    var reason: String
    var ways: Set<Mechanism>
    /// Why a network by GRE cannot be encrypted; nil if it can.
    var greObstacle: String?
    var testDescription: String { "\(wanted), kernel \(kernel.count), user \(user ?? "works")" }
  }

  private static let inKernel: Set<Mechanism> = [.kernelVXLANInESP, .kernelGREInESP]
  private static let inUserSpace: Set<Mechanism> = [.userVXLANInESP, .userGREInESP]

  static let cases: [Case] = [
    Case(
      wanted: .auto, kernel: [:], user: nil, path: .kernel,
      reason: "The kernel encrypts VXLAN and GRE and keeps both from leaving in clear, as was tried at start.",
      ways: inKernel),
    Case(
      wanted: .auto, kernel: noESP, user: nil, path: .user,
      reason: "The kernel cannot carry all encrypted networks. No ESP.", ways: inUserSpace),
    Case(
      wanted: .auto, kernel: noGRE, user: nil, path: .user,
      reason: "The kernel cannot carry all encrypted networks. No GRE.", ways: inUserSpace),
    Case(
      wanted: .auto, kernel: noGRE, user: "No TAP.", path: .kernel,
      reason: "No GRE. The packet path in user space does not work either. No TAP.", ways: [.kernelVXLANInESP],
      greObstacle: "No GRE. No TAP."),
    Case(
      wanted: .auto, kernel: noESP, user: "No TAP.", path: nil,
      reason: "No ESP. The packet path in user space does not work either. No TAP.", ways: [],
      greObstacle: "No ESP. No TAP."),
    Case(
      wanted: .kernel, kernel: [:], user: nil, path: .kernel, reason: "weftd was started with --dataplane kernel.",
      ways: inKernel),
    Case(
      wanted: .kernel, kernel: noGRE, user: nil, path: .kernel,
      reason: "weftd was started with --dataplane kernel. \(advice) No GRE.", ways: [.kernelVXLANInESP],
      greObstacle: "\(advice) No GRE. weftd was started with --dataplane kernel."),
    Case(
      wanted: .kernel, kernel: noESP, user: nil, path: nil,
      reason: "weftd was started with --dataplane kernel. \(advice) No ESP.", ways: [],
      greObstacle: "\(advice) No ESP. weftd was started with --dataplane kernel."),
    Case(
      wanted: .kernel, kernel: [.kernelVXLANInESP: "No ESP.", .kernelGREInESP: "No GRE."], user: nil, path: nil,
      reason: "weftd was started with --dataplane kernel. \(advice) No ESP. No GRE.", ways: [],
      greObstacle: "\(advice) No GRE. weftd was started with --dataplane kernel."),
    Case(
      wanted: .user, kernel: [:], user: nil, path: .user, reason: "weftd was started with --dataplane user.",
      ways: inUserSpace),
    Case(
      wanted: .user, kernel: [:], user: "No TAP.", path: nil,
      reason: "weftd was started with --dataplane user. No TAP.", ways: [],
      greObstacle: "weftd was started with --dataplane user. No TAP."),
  ]

  @Test(arguments: cases) func choice(_ case: Case) {
    let choice = PathChoice(`case`.wanted, kernel: `case`.kernel) { `case`.user }
    #expect(choice.path == `case`.path)
    #expect(choice.reason == `case`.reason)
    let ways = Set(Mechanism.allCases.filter(\.isProtected)).subtracting(choice.obstacles.keys)
    #expect(ways == `case`.ways)
    #expect(choice.obstacles.keys.allSatisfy { $0.isProtected })
    let obstacle =
      Mechanism.choose(.gre, .required, from: ways) == nil
      ? Mechanism.obstacle(to: .gre, .required, in: choice.obstacles) : nil
    #expect(obstacle == `case`.greObstacle)
  }

  @Test(arguments: cases) func aFreeChoiceOfUserSpaceIsAnEvent(_ case: Case) {
    let choice = PathChoice(`case`.wanted, kernel: `case`.kernel) { `case`.user }
    guard `case`.wanted == .auto, `case`.path == .user else {
      #expect(choice.event == nil)
      return
    }
    #expect(choice.event?.kind == "packetPath")
    #expect(choice.event?.message == "User space carries encrypted networks. \(`case`.reason)")
  }

  @Test func aRunThatGoesOnInUserSpaceTellsSoAndWhy() {
    let event = PathChoice(.auto, kernel: [:], goesOn: true) { nil }.event
    #expect(event?.kind == "packetPath" && event?.message.contains("its TAPs stand") == true)
  }

  @Test func whatCarriesEncryptedNetworksIsSaidWithItsReason() {
    func sentence(_ wanted: Settings.DataPlane, _ kernel: [Mechanism: String], _ user: String?) -> String {
      PathChoice(wanted, kernel: kernel) { user }.sentence
    }
    #expect(sentence(.auto, [:], nil).hasPrefix("The kernel carries encrypted networks. The kernel encrypts"))
    #expect(
      sentence(.user, [:], nil)
        == "User space carries encrypted networks. weftd was started with --dataplane user.")
    #expect(
      sentence(.auto, Self.noESP, "No TAP.").hasPrefix("Nothing carries encrypted networks here; those with"))
  }

  @Test func aRunGoesOnWithTheTAPsOfTheOneBeforeOnlyIfThatIsLeftToIt() {
    let choice = PathChoice(.auto, kernel: [:], goesOn: true) { nil }
    #expect(choice.path == .user && choice.goesOn && choice.reason.contains("its TAPs stand"))
    #expect(Set(choice.obstacles.keys) == Self.inKernel)
    for wanted in [Settings.DataPlane.kernel, .user] {
      let other = PathChoice(wanted, kernel: [:], goesOn: true) { nil }
      #expect(!other.goesOn && other.path?.rawValue == wanted.rawValue)
    }
  }

  @Test func userSpaceIsTriedOnlyWhereItMatters() {
    for (wanted, kernel, isTried) in [
      (.auto, [:], false), (.auto, Self.noESP, true), (.kernel, Self.noESP, false), (.user, [:], true),
    ] as [(Settings.DataPlane, [Mechanism: String], Bool)] {
      var count = 0
      _ = PathChoice(wanted, kernel: kernel) {
        count += 1
        return nil
      }
      #expect(count == (isTried ? 1 : 0), "\(wanted)")
    }
  }
}
