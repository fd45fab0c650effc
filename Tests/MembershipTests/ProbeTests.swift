import Testing
import Wire

@testable import Membership

struct ProbeTests {
  private func isPing(_ frame: GossipFrame) -> Bool { if case .ping = frame { true } else { false } }

  private func ack(_ frame: GossipFrame, _: HostID) -> GossipFrame? {
    if case .ping(let sequence) = frame { .ack(sequence: sequence) } else { nil }
  }

  @Test func everyMemberIsProbedOnceInEachRound() {
    var host = Host(members: 5)
    let effects = host.run(for: .seconds(100), answering: ack)
    for index in 1...5 { #expect((19...21).contains(effects.frames(to: index).count(where: isPing))) }
  }

  @Test func aRoundVisitsAllInAnOrderThatChanges() {
    var generator = SeededGenerator(seed: 3)
    var order = ProbeOrder()
    for index in 1...6 { order.insert(Host.id(index), using: &generator) }
    var rounds: [[HostID]] = []
    for _ in 0..<4 { rounds.append((0..<6).compactMap { _ in order.next(using: &generator) { _ in true } }) }
    for round in rounds { #expect(Set(round).count == 6) }
    #expect(Set(rounds).count > 1)
    #expect(order.next(using: &generator) { _ in false } == nil)
    order.remove(Host.id(3))
    #expect((0..<10).allSatisfy { _ in order.next(using: &generator) { _ in true } != Host.id(3) })
  }

  @Test func aSilentTargetIsAskedForByThreeOthersAndOverTCPAndThenSuspected() throws {
    var host = Host(members: 6)
    var effects: [Membership.Effect] = []
    while !effects.contains(where: { if case .changed = $0 { true } else { false } }) {
      effects += host.run(for: .milliseconds(10))
    }
    let request = try #require(effects.sent.first { if case .pingRequest = $0 { true } else { false } })
    guard case .pingRequest(_, let target) = request else { return }
    #expect(effects.sent.count { $0 == request } == 3)
    #expect(effects.contains { if case .probeTCP(target, _) = $0 { true } else { false } })
    #expect(effects.contains(.changed(target, boot: Host.boot, from: .alive, to: .suspect)))
  }

  @Test func anAckThatARelayPassesOnIsAsGoodAsAStraightOne() {
    var host = Host(members: 4)
    let effects = host.run(
      for: .seconds(30),
      answering: { frame, _ in
        if case .pingRequest(let sequence, _) = frame { .ack(sequence: sequence) } else { nil }
      })
    #expect(effects.sent.contains { if case .pingRequest = $0 { true } else { false } })
    #expect((1...4).allSatisfy { host.state($0) == .alive })
  }

  @Test func aHandshakeOverTCPIsAsGoodAsAnAck() {
    var host = Host(members: 4)
    let effects = host.run(for: .seconds(30), tcp: { _ in .agent })
    #expect(effects.contains { if case .probeTCP = $0 { true } else { false } })
    #expect((1...4).allSatisfy { host.state($0) == .alive })
  }

  @Test func anAckOfSomebodyWhoWasNotAskedCountsForNothing() {
    var host = Host(members: 2)
    // Every ping to 1 is "acked" by 2 in its place.
    for _ in 0..<400 {
      for frame in host.run(for: .milliseconds(50), tcp: { $0 == Host.id(2) ? .agent : .silent }).frames(to: 1) {
        if case .ping(let sequence) = frame { _ = host.receive(.ack(sequence: sequence), from: 2) }
      }
    }
    #expect(host.state(1) == .dead)
    #expect(host.state(2) == .alive)
  }

  @Test func aRequestedPingIsAckedWhenTheTargetAcksAndNackedWhenItDoesNot() throws {
    var host = Host(members: 3)
    let effects = host.receive(.pingRequest(sequence: 500, target: Host.id(2)), from: 1)
    let ping = try #require(effects.frames(to: 2).first)
    guard case .ping(let sequence) = ping else {
      Issue.record("no ping: \(ping)")
      return
    }
    #expect(host.receive(.ack(sequence: sequence), from: 3).isEmpty)
    #expect(host.receive(.ack(sequence: sequence), from: 2).frames(to: 1).first == .ack(sequence: 500))
    _ = host.receive(.pingRequest(sequence: 501, target: Host.id(2)), from: 1)
    let later = host.run(for: .milliseconds(450))
    #expect(later.frames(to: 1).contains(.nack(sequence: 501)))
    #expect(!later.frames(to: 1).contains(.nack(sequence: 500)))
  }

  @Test func probesForOthersAreBounded() {
    var configuration = Membership.Configuration()
    configuration.relayLimit = 4
    var host = Host(members: 3, configuration: configuration)
    for number in 0..<4 as Range<UInt32> {
      _ = host.receive(.pingRequest(sequence: number, target: Host.id(2)), from: 1)
    }
    #expect(
      host.receive(.pingRequest(sequence: 9, target: Host.id(2)), from: 1)
        == [.rejected(.relays(from: Host.id(1)))])
    _ = host.run(for: .seconds(2), answering: ack)
    #expect(host.core.relays.isEmpty)
  }

  @Test func aHostWhoseProbesFailWithoutNacksProbesSlowerUntilTheySucceed() {
    var host = Host(members: 4)
    _ = host.run(for: .seconds(6))
    let score = host.core.health.score
    #expect(score > 2)
    let slow = host.core.health.scale(.seconds(1))
    #expect(slow == .seconds(1 + score))
    for index in 1...4 { _ = host.receive(Host.rumour(Host.id(index), .alive, 9, source: index), from: index) }
    _ = host.run(for: .seconds(60), answering: ack)
    #expect(host.core.health.score == 0)
  }

  @Test func nacksShowThatTheFaultIsNotOnThisSide() {
    var host = Host(members: 8)
    let effects = host.run(
      for: .seconds(6),
      answering: { frame, to in
        switch frame {
        case .ping(let sequence): to == Host.id(1) ? nil : .ack(sequence: sequence)
        case .pingRequest(let sequence, _): .nack(sequence: sequence)
        default: nil
        }
      })
    #expect(effects.contains { if case .changed(_, _, _, .suspect) = $0 { true } else { false } })
    #expect(host.core.health.score == 0)
  }

  @Test func deadMembersArePingedOneInASecond() {
    var host = Host(members: 6)
    for index in 1...4 { _ = host.receive(Host.rumour(Host.id(index), .dead), from: 5) }
    let effects = host.run(for: .seconds(40), answering: { frame, to in to < Host.id(5) ? nil : ack(frame, to) })
    for index in 1...4 { #expect((9...11).contains(effects.frames(to: index).count(where: isPing))) }
  }

  @Test func whenADeadMemberComesBackTheOtherDeadOnesArePingedAtOnce() {
    var host = Host(members: 30)
    for index in 1...25 { _ = host.receive(Host.rumour(Host.id(index), .dead), from: 30) }
    let before = host.run(for: .seconds(1), answering: { frame, to in to <= Host.id(25) ? nil : ack(frame, to) })
    #expect((2...25).count { before.frames(to: $0).contains(where: isPing) } <= 2)
    _ = host.receive(Host.rumour(Host.id(1), .alive, 1, source: 1), from: 1)
    let after = host.run(for: .seconds(1), answering: { frame, to in to <= Host.id(25) ? nil : ack(frame, to) })
    #expect((2...25).allSatisfy { after.frames(to: $0).contains(where: isPing) })
    // Then the search is over.
    _ = host.run(for: .seconds(2), answering: { frame, to in to <= Host.id(25) ? nil : ack(frame, to) })
    let later = host.run(for: .seconds(2), answering: { frame, to in to <= Host.id(25) ? nil : ack(frame, to) })
    #expect((2...25).count { later.frames(to: $0).contains(where: isPing) } <= 3)
  }

  @Test func aHostThatLeavesTellsAllAndProbesNobodyAnyMore() {
    var host = Host(members: 3)
    let effects = host.core.leave(now: host.now)
    for index in 1...3 { #expect(effects.frames(to: index) == [Host.rumour(Host.me, .left, source: 0)]) }
    #expect(!host.run(for: .seconds(30)).sent.contains(where: isPing))
    // Nor does it answer rumours by coming back to life.
    _ = host.receive(Host.rumour(Host.me, .dead, 6), from: 1)
    #expect(host.core.ownRumour.state == .left)
    #expect(host.core.incarnation == 6)
  }
}
