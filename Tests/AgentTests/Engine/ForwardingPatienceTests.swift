import Testing
import Wire

@testable import Agent

@Suite struct ForwardingPatienceTests {
  private let host = HostID(high: 1, low: 2)
  private let start = Instant(nanoseconds: 1_000_000_000)

  @Test func aHostWhoseAgentIsDownKeepsItsTrafficForAsLongAsItIsJudgedSo() {
    var patience = ForwardingPatience(startedAt: start)
    for minutes in [0, 2, 50] {
      let now = start + .seconds(60 * minutes)
      #expect(on(&patience, { $0.protects(.flood, of: host, state: .agentDown, isComplete: false, now: now) }))
      #expect(on(&patience, { $0.protects(.unicast, of: host, state: .agentDown, isComplete: false, now: now) }))
    }
  }

  @Test func aHostThatAnswersHasAMinuteToTellWhatItHas() {
    var patience = ForwardingPatience(startedAt: start)
    let before = start + .seconds(59)
    let after = start + .seconds(60)
    #expect(on(&patience, { $0.protects(.flood, of: host, state: .alive, isComplete: false, now: before) }))
    #expect(!on(&patience, { $0.protects(.flood, of: host, state: .alive, isComplete: false, now: after) }))
    #expect(!on(&patience, { $0.protects(.unicast, of: host, state: .suspect, isComplete: false, now: after) }))
    #expect(!on(&patience, { $0.protects(.flood, of: host, state: .alive, isComplete: true, now: before) }))
  }

  @Test func theMinuteBeginsWhenTheHostsAgentIsBack() {
    var patience = ForwardingPatience(startedAt: start)
    let back = start + .seconds(600)
    #expect(on(&patience, { $0.protects(.flood, of: host, state: .agentDown, isComplete: false, now: back) }))
    #expect(
      on(&patience, { $0.protects(.flood, of: host, state: .alive, isComplete: false, now: back + .seconds(59)) }))
    #expect(
      !on(&patience, { $0.protects(.flood, of: host, state: .alive, isComplete: false, now: back + .seconds(61)) }))
  }

  @Test func aDeadHostLeavesTheFloodListAtOnceAndItsMACsStay() {
    var patience = ForwardingPatience(startedAt: start)
    let now = start + .seconds(10)
    #expect(!on(&patience, { $0.protects(.flood, of: host, state: .dead, isComplete: false, now: now) }))
    #expect(on(&patience, { $0.protects(.unicast, of: host, state: .dead, isComplete: false, now: now) }))
    #expect(
      !on(&patience, { $0.protects(.unicast, of: host, state: .dead, isComplete: false, now: start + .seconds(1800)) }))
  }

  @Test func aHostThatWasNotJudgedYetIsProtectedAndOneThatLeftIsNot() {
    var patience = ForwardingPatience(startedAt: start)
    let later = start + .seconds(300)
    #expect(on(&patience, { $0.protects(.flood, of: host, state: nil, isComplete: false, now: later) }))
    #expect(
      !on(&patience, { $0.protects(.flood, of: host, state: nil, isComplete: false, now: start + .seconds(1800)) }))
    #expect(!on(&patience, { $0.protects(.unicast, of: host, state: .left, isComplete: false, now: start) }))
  }
}
