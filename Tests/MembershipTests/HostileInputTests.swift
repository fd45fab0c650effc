import Testing
import Wire

@testable import Membership

struct HostileInputTests {
  /// Frames whose every field is drawn from edges and chance.
  private static func frame(_ generator: inout SeededGenerator) -> GossipFrame {
    let edges: [UInt64] = [0, 1, 5, 6, 1 << 32, .max, .max - 1, generator.next()]
    func number() -> UInt64 { edges[Int.random(in: 0..<edges.count, using: &generator)] }
    func host() -> HostID { Host.id(Int.random(in: 0..<8, using: &generator)) }
    let states = MemberState.allCases
    switch Int.random(in: 0..<9, using: &generator) {
    case 0: return .ping(sequence: UInt32(truncatingIfNeeded: number()))
    case 1: return .ack(sequence: UInt32.random(in: 0..<300, using: &generator))
    case 2: return .nack(sequence: UInt32.random(in: 0..<300, using: &generator))
    case 3: return .pingRequest(sequence: UInt32(truncatingIfNeeded: number()), target: host())
    default:
      return .rumour(
        MemberRumour(
          host: host(), boot: Boot(counter: number(), nonce: number()), incarnation: number(),
          state: states[Int.random(in: 0..<states.count, using: &generator)], source: host()))
    }
  }

  @Test(arguments: 1...20 as ClosedRange<UInt64>)
  func noInputTrapsOrGrowsTheTableOrStopsTheTimers(seed: UInt64) {
    var generator = SeededGenerator(seed: seed)
    var host = Host(members: 5, seed: seed)
    let outcomes: [Membership.TCPProbeOutcome] = [.agent, .kernel, .silent]
    for _ in 0..<2000 {
      let member = Host.id(Int.random(in: 0..<7, using: &generator))
      let boot = Boot(counter: UInt64.random(in: 4...7, using: &generator), nonce: 77)
      switch Int.random(in: 0..<8, using: &generator) {
      case 0: host.now = host.now + .milliseconds(Int.random(in: 0..<3000, using: &generator))
      case 1: _ = host.core.advance(to: host.now)
      case 2:
        let outcome = outcomes[Int.random(in: 0..<3, using: &generator)]
        let sequence = UInt32.random(in: 0..<300, using: &generator)
        _ = host.core.tcpProbe(of: member, sequence: sequence, outcome: outcome, now: host.now)
      case 3: _ = host.core.greeted(member, boot: boot, now: host.now)
      default:
        let effects = host.core.receive(Self.frame(&generator), from: member, boot: boot, now: host.now)
        for case .send(let frames, _) in effects {
          #expect(frames.reduce(0) { $0 + $1.encodedSize } <= GossipPacket.maximumPlaintext)
        }
      }
      #expect(host.core.members.count == 5)
      #expect(host.core.relays.count <= host.core.configuration.relayLimit)
      #expect(host.core.deadline != nil)
    }
    // It still works: whoever comes with a boot of its own above all lies is alive.
    #expect(host.core.rejections > 0)
  }

  @Test func theSameSeedAndInputsGiveTheSameEffects() {
    func run(_ seed: UInt64) -> [Membership.Effect] {
      var generator = SeededGenerator(seed: 9)
      var host = Host(members: 5, seed: seed)
      var effects: [Membership.Effect] = []
      for _ in 0..<500 {
        effects += host.receive(Self.frame(&generator), from: Int.random(in: 1...5, using: &generator))
        effects += host.run(for: .milliseconds(50))
      }
      return effects
    }
    #expect(run(1) == run(1))
    #expect(run(1) != run(2))
  }
}
