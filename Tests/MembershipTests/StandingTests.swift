import Testing
import Wire

@testable import Membership

struct StandingTests {
  private let boot = Boot(counter: 3, nonce: 1)

  @Test func aHigherBootBeatsEveryRumourOfALowerOne() {
    let old = Standing(boot: boot, incarnation: .max, state: .left)
    #expect(old < Standing(boot: Boot(counter: 4, nonce: 0), incarnation: 0, state: .alive))
    #expect(old < Standing(boot: Boot(counter: 3, nonce: 2), incarnation: 0, state: .alive))
  }

  @Test func withinAnIncarnationOneWitnessOfTheKernelOutweighsDeath() {
    let states: [MemberState] = [.alive, .suspect, .dead, .agentDown, .left]
    let standings = states.map { Standing(boot: boot, incarnation: 7, state: $0) }
    #expect(standings == standings.shuffled().sorted())
    #expect(standings[4] < Standing(boot: boot, incarnation: 8, state: .alive))
  }

  @Test func theLastIncarnationCannotBeRaised() {
    #expect(Standing(boot: boot, incarnation: .max, state: .alive).raised(to: .suspect) == nil)
  }
}
