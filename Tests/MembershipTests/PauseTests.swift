import Testing
import Wire

@testable import Membership

struct PauseTests {
  @Test func aLateCallIsNoticedAtWhateverInputComesFirst() throws {
    for input in 0..<3 {
      var host = Host(members: 3)
      host.now = try #require(host.core.deadline) + .seconds(30)
      let effects =
        switch input {
        case 0: host.core.advance(to: host.now)
        case 1: host.receive(.ack(sequence: 1), from: 1)
        default: host.core.tcpProbe(of: Host.id(1), sequence: 1, outcome: .silent, now: host.now)
        }
      #expect(effects.first == .paused(.seconds(30)))
    }
  }

  @Test func aCallThatIsALittleLateIsNoPause() throws {
    var host = Host(members: 3)
    host.now = try #require(host.core.deadline) + .milliseconds(900)
    let effects = host.core.advance(to: host.now)
    #expect(!effects.contains { if case .paused = $0 { true } else { false } })
  }

  @Test func afterAPauseNobodyIsCalledDeadBeforeEveryMemberWasProbedOnce() throws {
    var configuration = Membership.Configuration()
    configuration.startBurst = 0
    var host = Host(members: 5, configuration: configuration)
    _ = host.receive(Host.rumour(Host.id(1), .suspect), from: 2)
    host.now = host.now + .seconds(60)
    var effects = host.core.advance(to: host.now)
    while !(1...5).contains(where: { host.state($0) == .dead }) { effects += host.run(for: .milliseconds(50)) }
    let probed = (1...5).filter { index in
      effects.frames(to: index).contains { if case .ping = $0 { true } else { false } }
    }
    #expect(probed.count == 5)
  }

  @Test func silenceOfThePoolBeforeItsFirstMemberIsNoPause() {
    var host = Host(members: 0)
    #expect(host.core.deadline == nil)
    host.now = host.now + .seconds(500)
    let effects = host.core.add(Host.id(1), now: host.now)
    #expect(!effects.contains { if case .paused = $0 { true } else { false } })
    #expect(
      host.core.advance(to: host.now + .milliseconds(1)).allSatisfy { if case .paused = $0 { false } else { true } })
  }

  @Test func silenceWithoutNewsIsNoPauseWhenNewsComes() {
    var host = Host(members: 3)
    let answer: (GossipFrame, HostID) -> GossipFrame? = { frame, _ in
      if case .ping(let sequence) = frame { .ack(sequence: sequence) } else { nil }
    }
    _ = host.run(for: .seconds(60), answering: answer)
    _ = host.receive(Host.rumour(Host.id(1), .suspect), from: 2)
    let effects = host.run(for: .seconds(1), answering: answer)
    #expect(!effects.contains { if case .paused = $0 { true } else { false } })
  }
}
