import Testing
import Wire

@testable import Membership

struct SuspicionTests {
  private let start = Instant(nanoseconds: 5)
  private let configuration = Membership.Configuration()

  private func duration(_ suspicion: Suspicion) -> Duration { suspicion.end - start }

  @Test func aSuspicionShrinksWithEachIndependentConfirmation() {
    var suspicion = Suspicion(source: Host.id(1), now: start, live: 8, configuration: configuration)
    var durations = [duration(suspicion)]
    for index in 2...4 {
      let (first, second) = (suspicion.confirm(by: Host.id(index)), suspicion.confirm(by: Host.id(index)))
      #expect(first && !second)
      durations.append(duration(suspicion))
    }
    #expect(durations.first == .milliseconds(4500))
    #expect(durations.last == .milliseconds(1500))
    #expect(durations == durations.sorted(by: >))
    let surplus = suspicion.confirm(by: Host.id(9))
    #expect(!surplus)
  }

  @Test func inAPoolOfTwoNobodyCouldConfirmSoItIsShortAtOnce() {
    let suspicion = Suspicion(source: Host.id(1), now: start, live: 2, configuration: configuration)
    #expect(duration(suspicion) == .milliseconds(1500))
  }

  @Test func suspicionGrowsWithTheLogarithmOfThePool() {
    let small = Suspicion(source: Host.id(1), now: start, live: 10, configuration: configuration)
    let large = Suspicion(source: Host.id(1), now: start, live: 1000, configuration: configuration)
    #expect(duration(small) == .milliseconds(4500))
    #expect((13_000...14_000).contains(Int(duration(large) / .milliseconds(1))))
  }

  @Test func poolFactorFollowsTheLogarithm() {
    #expect([0, 1, 2, 10].map(Logarithm.poolFactor) == [1000, 1000, 1000, 1000])
    for (count, exact) in [(16, 1204), (64, 1806), (100, 2000), (1000, 3000), (1024, 3010)] {
      #expect(abs(Logarithm.poolFactor(count) - exact) < 30)
    }
  }

  @Test func aSuspectThatRefutesIsNeverCalledDead() {
    var host = Host(members: 3)
    _ = host.receive(Host.rumour(Host.id(1), .suspect), from: 2)
    _ = host.receive(Host.rumour(Host.id(1), .alive, 1, source: 1), from: 1)
    let effects = host.run(
      for: .seconds(30),
      answering: { frame, _ in
        if case .ping(let sequence) = frame { .ack(sequence: sequence) } else { nil }
      })
    #expect(!effects.contains { if case .changed = $0 { true } else { false } })
  }

  @Test func silenceOnTCPConfirmsASuspicionAndAnAckSinceDoesNotLetItDoSo() {
    var host = Host(members: 4)
    _ = host.receive(Host.rumour(Host.id(1), .suspect), from: 2)
    _ = host.run(for: .milliseconds(300), tcp: { _ in .silent })
    #expect(host.core.suspicions[Host.id(1)]?.sources == [Host.id(2), Host.me])
    _ = host.receive(Host.rumour(Host.id(3), .suspect), from: 2)
    host.core.table[Host.id(3)]?.answered = host.now
    _ = host.run(for: .milliseconds(300), tcp: { _ in .silent })
    #expect(host.core.suspicions[Host.id(3)]?.sources == [Host.id(2)])
  }

  @Test func whoSuspectsGoesOnAskingForTheSuspectByOthers() {
    var host = Host(members: 6)
    var effects: [Membership.Effect] = []
    while !effects.contains(where: { if case .changed = $0 { true } else { false } }) {
      effects = host.run(for: .milliseconds(10))
    }
    guard let suspect = (1...6).first(where: { host.state($0) == .suspect }) else { return }
    effects = host.run(for: .milliseconds(1200))
    let asked = effects.sent.compactMap { frame -> UInt32? in
      if case .pingRequest(let sequence, Host.id(suspect)) = frame { sequence } else { nil }
    }
    #expect(Set(asked).count == 2)
    #expect(asked.count == 6)
  }

  @Test func beforeASuspectIsCalledDeadTheOthersAreAskedOnceMore() {
    var configuration = Membership.Configuration()
    // No probe of its own gets in the way.
    configuration.probeInterval = .seconds(600)
    configuration.suspicionMinimum = 5
    var host = Host(members: 4, configuration: configuration)
    for source in 2...4 { _ = host.receive(Host.rumour(Host.id(1), .suspect, source: source), from: source) }
    // Whoever is asked knows the answer that this host has missed.
    let effects = host.run(
      for: .seconds(3),
      answering: { frame, to in
        switch frame {
        case .ping(let sequence): to == Host.id(1) ? nil : .ack(sequence: sequence)
        case .pingRequest(_, Host.id(1)): Host.rumour(Host.id(1), .alive, 1, source: 1)
        default: nil
        }
      })
    #expect(effects.contains(.changed(Host.id(1), boot: Host.boot, from: .suspect, to: .alive)))
    #expect(!effects.contains { if case .changed(_, _, _, .dead) = $0 { true } else { false } })
  }

  @Test func aSuspectWhoseKernelAnswersIsAgentDownBeforeAnybodyCanCallItDead() {
    var host = Host(members: 3)
    _ = host.receive(Host.rumour(Host.id(1), .suspect), from: 2)
    _ = host.receive(Host.rumour(Host.id(1), .suspect, source: 3), from: 3)
    let effects = host.run(for: .milliseconds(1400), tcp: { $0 == Host.id(1) ? .kernel : .agent })
    #expect(effects.contains(.changed(Host.id(1), boot: Host.boot, from: .suspect, to: .agentDown)))
  }

  @Test func aWitnessOfTheKernelContradictsTheWordOfDeathWithoutBelievingItFirst() {
    var host = Host(members: 3)
    _ = host.receive(Host.rumour(Host.id(1), .suspect), from: 2)
    _ = host.run(for: .milliseconds(300), tcp: { $0 == Host.id(1) ? .kernel : .agent })
    let effects = host.receive(Host.rumour(Host.id(1), .dead), from: 2)
    #expect(effects == [.changed(Host.id(1), boot: Host.boot, from: .suspect, to: .agentDown)])
  }

  @Test func aKernelThatAnswersLongAfterAHostWasCalledDeadDoesNotReviveIt() {
    var host = Host(members: 3)
    var effects = host.receive(Host.rumour(Host.id(1), .dead), from: 2)
    guard case .probeTCP(_, let sequence) = effects.last else {
      Issue.record("no TCP probe: \(effects)")
      return
    }
    host.now = host.now + .seconds(6)
    effects = host.core.tcpProbe(of: Host.id(1), sequence: sequence, outcome: .kernel, now: host.now)
    #expect(host.state(1) == .dead)
  }

  @Test func aHostNotHeardOfWhoseKernelAnswersIsAgentDownInItsLastKnownBoot() {
    var host = Host(members: 2)
    _ = host.core.add(Host.id(3), lastBoot: Boot(counter: 9, nonce: 1), now: host.now)
    #expect(host.state(3) == .dead)
    #expect(host.core.view(of: Host.id(3))?.boot == nil)
    _ = host.run(for: .seconds(8), tcp: { _ in .kernel })
    #expect(host.state(3) == .agentDown)
    #expect(host.core.view(of: Host.id(3))?.boot?.counter == 9)
  }
}
