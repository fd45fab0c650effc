import Testing
import Wire

@testable import Membership

struct RumourTests {
  @Test func aRumourThatStandsHigherWinsAndOneThatStandsLowerIsIgnored() {
    var host = Host(members: 3)
    #expect(
      host.receive(Host.rumour(Host.id(1), .suspect, 4), from: 2).contains(
        .changed(Host.id(1), boot: Host.boot, from: .alive, to: .suspect)))
    #expect(host.receive(Host.rumour(Host.id(1), .alive, 4), from: 2).isEmpty)
    #expect(host.receive(Host.rumour(Host.id(1), .dead, 3), from: 2).isEmpty)
    #expect(host.state(1) == .suspect)
    _ = host.receive(Host.rumour(Host.id(1), .alive, 5), from: 2)
    #expect(host.state(1) == .alive)
  }

  @Test func aHigherBootMakesAHostAliveAtOnceWhateverWasSaidOfTheLowerOne() {
    var host = Host(members: 3)
    _ = host.receive(Host.rumour(Host.id(1), .dead, 900), from: 2)
    let boot = Boot(counter: 6, nonce: 0)
    let effects = host.core.heard(from: Host.id(1), boot: boot, now: host.now)
    #expect(effects == [.changed(Host.id(1), boot: boot, from: .dead, to: .alive)])
    #expect(host.core.view(of: Host.id(1))?.incarnation == 0)
  }

  @Test func allOrdersOfTheSameRumoursEndInTheSameState() {
    var generator = SeededGenerator(seed: 5)
    var rumours: [GossipFrame] = []
    for boot in [Host.boot, Boot(counter: 6, nonce: 1)] {
      for incarnation in 0..<4 as Range<UInt64> {
        for state in [MemberState.alive, .suspect, .dead, .agentDown] {
          rumours.append(Host.rumour(Host.id(1), state, incarnation, boot: boot))
        }
      }
    }
    for _ in 0..<200 {
      var host = Host(members: 3)
      for rumour in rumours.shuffled(using: &generator) { _ = host.receive(rumour, from: 2) }
      let view = host.core.view(of: Host.id(1))
      #expect(view?.boot?.counter == 6 && view?.incarnation == 3 && view?.state == .agentDown)
    }
  }

  @Test func everyRumourAboutThisBootThatIsNotAliveIsRefutedByOneIncarnationMore() {
    for state in [MemberState.suspect, .dead, .agentDown, .left] {
      var host = Host(members: 3)
      let effects = host.receive(Host.rumour(Host.me, state, 7), from: 1)
      #expect(effects.first == .refuted(8))
      #expect(effects.frames(to: 1) == [Host.rumour(Host.me, .alive, 8, source: 0)])
      #expect(host.core.incarnation == 8)
      // It is news for the others too.
      let news = host.core.rumours(for: Host.id(3))
      #expect(news == [Host.rumour(Host.me, .alive, 8, source: 0)])
    }
  }

  @Test func anOldRumourAboutThisHostRaisesNothingButTheTruthIsToldAgain() {
    var host = Host(members: 3)
    _ = host.receive(Host.rumour(Host.me, .suspect, 7), from: 1)
    host.core.rumourQueue = RumourQueue()
    #expect(host.receive(Host.rumour(Host.me, .dead, 7), from: 1).isEmpty)
    #expect(host.core.incarnation == 8)
    #expect(host.core.rumours(for: Host.id(3)) == [Host.rumour(Host.me, .alive, 8, source: 0)])
  }

  @Test func thisHostInAHigherBootElsewhereAsksForANewBoot() {
    var host = Host(members: 3)
    let other = Boot(counter: 5, nonce: 78)
    #expect(host.receive(Host.rumour(Host.me, .alive, 0, boot: other), from: 1) == [.ownBootSeen(other)])
    let older = Boot(counter: 5, nonce: 76)
    #expect(host.receive(Host.rumour(Host.me, .dead, 900, boot: older), from: 1).isEmpty)
    #expect(host.core.incarnation == 0)
  }

  @Test func countersTooFarAboveTheKnownOnesAreRefusedAndCounted() {
    var host = Host(members: 3)
    let step: UInt64 = 1 << 32
    #expect(
      host.receive(Host.rumour(Host.id(1), .dead, step + 1), from: 2)
        == [.rejected(.incarnation(Host.id(1), step + 1))])
    #expect(
      host.receive(Host.rumour(Host.me, .dead, .max), from: 2) == [.rejected(.incarnation(Host.me, .max))])
    let boot = Boot(counter: 5 + step + 1, nonce: 0)
    #expect(
      host.receive(Host.rumour(Host.id(1), .alive, 0, boot: boot), from: 2) == [.rejected(.boot(Host.id(1), boot))])
    #expect(
      host.receive(Host.rumour(Host.me, .alive, 0, boot: boot), from: 2) == [.rejected(.boot(Host.me, boot))])
    #expect(host.core.heard(from: Host.id(1), boot: boot, now: host.now) == [.rejected(.boot(Host.id(1), boot))])
    #expect(host.core.rejections == 5)
    #expect(host.state(1) == .alive)
    #expect(host.receive(Host.rumour(Host.id(1), .suspect, step), from: 2).count == 1)
    #expect(host.state(1) == .suspect)
  }

  @Test func hostsThatWereNotAddedAreRefused() {
    var host = Host(members: 2)
    #expect(host.receive(.ping(sequence: 1), from: 9) == [.rejected(.unknownHost(Host.id(9)))])
    #expect(
      host.receive(Host.rumour(Host.id(9), .alive), from: 1) == [.rejected(.unknownHost(Host.id(9)))])
    #expect(
      host.receive(.pingRequest(sequence: 1, target: Host.id(9)), from: 1) == [.rejected(.unknownHost(Host.id(9)))])
    #expect(host.core.members.map(\.host) == [Host.id(1), Host.id(2)])
    _ = host.core.remove(Host.id(2), now: host.now)
    #expect(host.receive(.ping(sequence: 1), from: 2) == [.rejected(.unknownHost(Host.id(2)))])
  }

  @Test func newsIsLeastSentFirstThenLatestFirstAndNeverMoreThanFits() {
    var host = Host(members: 6)
    for index in 1...3 { _ = host.receive(Host.rumour(Host.id(index), .suspect, source: 4), from: 4) }
    let size = Host.rumour(Host.id(1), .suspect).encodedSize
    #expect(
      host.core.rumours(for: Host.id(5), budget: size * 2 + 1)
        == [3, 2].map { Host.rumour(Host.id($0), .suspect, source: 4) })
    #expect(host.core.rumours(for: Host.id(5), budget: size).first == Host.rumour(Host.id(1), .suspect, source: 4))
    #expect(host.core.rumours(for: Host.id(5), budget: size - 1).isEmpty)
    // The one who told it need not hear it again, nor need its subject as news.
    #expect(host.core.rumours(for: Host.id(4)).isEmpty)
    #expect(host.core.rumours(for: Host.id(1)).count == 2)
  }

  @Test func newsIsSentALimitedNumberOfTimes() {
    var host = Host(members: 8)
    _ = host.receive(Host.rumour(Host.id(1), .suspect), from: 2)
    var count = 0
    while !host.core.rumours(for: Host.id(5)).isEmpty, count < 100 { count += 1 }
    #expect(count == host.core.configuration.retransmissions)
  }

  @Test func whoIsSuspectedIsToldFirst() {
    var host = Host(members: 8)
    for index in 1...6 { _ = host.receive(Host.rumour(Host.id(index), .suspect), from: 7) }
    let frames = host.receive(.ping(sequence: 9), from: 4).frames(to: 4)
    #expect(frames.contains(.ack(sequence: 9)))
    let about = frames.compactMap { if case .rumour(let rumour) = $0 { rumour.host } else { nil } }
    #expect(about.prefix(2) == [Host.me, Host.id(4)])
  }

  @Test func whoIsHeldForDeadIsToldAtItsFirstPacketOfAnyKind() {
    var host = Host(members: 3)
    _ = host.receive(Host.rumour(Host.id(1), .dead, 3), from: 2)
    let frame = GossipFrame.recordsSeen([])
    #expect(host.receive(frame, from: 1).frames(to: 1) == [Host.rumour(Host.id(1), .dead, 3)])
    #expect(host.receive(frame, from: 1).isEmpty)
    #expect(host.state(1) == .dead)
  }

  @Test func aPacketOfALowerBootChangesNothing() {
    var host = Host(members: 3)
    let old = Boot(counter: 4, nonce: 0)
    let effects = host.core.receive(
      Host.rumour(Host.id(2), .dead), from: Host.id(1), boot: old, now: host.now)
    #expect(effects.frames(to: 1) == [Host.rumour(Host.id(1), .alive, 0, source: 1)])
    #expect(host.state(2) == .alive)
  }

  @Test func aHelloAloneMakesNobodyAlive() {
    var host = Host(members: 3)
    _ = host.receive(Host.rumour(Host.id(1), .dead, 3), from: 2)
    let effects = host.core.greeted(Host.id(1), boot: Boot(counter: 6, nonce: 1), now: host.now)
    #expect(host.state(1) == .dead)
    #expect(effects.frames(to: 1).contains { if case .ping = $0 { true } else { false } })
    #expect(host.core.greeted(Host.id(2), boot: Host.boot, now: host.now).isEmpty)
  }
}
