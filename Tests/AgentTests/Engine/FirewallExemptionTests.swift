import Testing
import Wire

@testable import Agent

@Suite struct FirewallExemptionTests {
  private typealias Request = FirewallExemption.Request
  private let start = Instant(nanoseconds: 1_000_000_000)

  private func ask(
    _ firewall: inout FirewallExemption, _ bridges: [String], isCheck: Bool = false, after seconds: Int = 0,
    isActive: Bool = true
  ) -> Request? {
    firewall.request(bridges, isCheck: isCheck, now: start + .seconds(seconds)) { isActive }
  }

  @Test func theSameBridgesAreToldOnceAndAChangeAgain() {
    var firewall = FirewallExemption()
    #expect(ask(&firewall, ["a"]) == Request(bridges: ["a"], gone: [], isCheck: false))
    firewall.finished(isDone: true, now: start)
    #expect(ask(&firewall, ["a"]) == nil)
    #expect(ask(&firewall, ["b"]) == Request(bridges: ["b"], gone: ["a"], isCheck: false))
    firewall.finished(isDone: true, now: start)
    #expect(ask(&firewall, []) == Request(bridges: [], gone: ["b"], isCheck: false))
    firewall.finished(isDone: true, now: start)
    #expect(ask(&firewall, [], isCheck: true) == nil)
  }

  @Test func thePeriodicLookAsksForWhatIsMissing() {
    var firewall = FirewallExemption()
    _ = ask(&firewall, ["a"])
    firewall.finished(isDone: true, now: start)
    #expect(ask(&firewall, ["a"], isCheck: true) == Request(bridges: ["a"], gone: [], isCheck: true))
  }

  @Test func oneRequestIsUnderWayAtATime() {
    var firewall = FirewallExemption()
    _ = ask(&firewall, ["a"])
    #expect(ask(&firewall, ["a", "b"]) == nil)
    firewall.finished(isDone: true, now: start)
    #expect(ask(&firewall, ["a", "b"])?.bridges == ["a", "b"])
  }

  @Test func afterAFailureEachTryWaitsLonger() {
    var firewall = FirewallExemption()
    _ = ask(&firewall, ["a"])
    firewall.finished(isDone: false, now: start)
    #expect(ask(&firewall, ["a"], after: 4) == nil)
    #expect(ask(&firewall, ["b"], isCheck: true, after: 4) == nil)
    #expect(ask(&firewall, ["b"], after: 5) == Request(bridges: ["b"], gone: ["a"], isCheck: false))
    firewall.finished(isDone: false, now: start + .seconds(5))
    #expect(ask(&firewall, ["b"], after: 14) == nil)
    #expect(ask(&firewall, ["b"], after: 15) != nil)
  }

  @Test func whereBridgedFramesPassNoFirewallNothingIsRun() {
    var firewall = FirewallExemption()
    #expect(ask(&firewall, ["a"], isActive: false) == nil)
    #expect(ask(&firewall, ["a"], isCheck: true, isActive: false) == nil)
    #expect(ask(&firewall, ["a"], isCheck: true)?.bridges == ["a"], "it was turned on meanwhile")
  }

  @Test func atTheEndAllThatMayHaveRulesIsNamed() {
    var firewall = FirewallExemption()
    _ = ask(&firewall, ["a"])
    firewall.finished(isDone: true, now: start)
    _ = ask(&firewall, ["b"])
    firewall.finished(isDone: false, now: start)
    #expect(on(&firewall, { $0.end() }) == ["a", "b"])
    #expect(on(&firewall, { $0.end() }).isEmpty)
  }
}
