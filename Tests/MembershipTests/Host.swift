import Wire

@testable import Membership

/// A membership with members 1, 2, … that are all alive, and short words for what tests say to it.
struct Host {
  static let me = HostID(high: 1, low: 0)
  static let boot = Boot(counter: 5, nonce: 77)

  var core: Membership
  var now = Instant(nanoseconds: 10_000_000_000)

  /// - Parameter members: how many others there are, alive and at incarnation 0.
  init(members: Int, configuration: Membership.Configuration = .init(), seed: UInt64 = 1) {
    core = Membership(host: Self.me, boot: Self.boot, configuration: configuration, seed: seed)
    for index in 0..<members { _ = core.add(Self.id(index + 1), now: now) }
    _ = core.start(now: now)
    for index in 0..<members { _ = core.heard(from: Self.id(index + 1), boot: Self.boot, now: now) }
    // The news of the start is of no interest here.
    core.rumourQueue = RumourQueue()
  }

  static func id(_ index: Int) -> HostID { HostID(high: 1, low: UInt64(index)) }

  static func rumour(
    _ host: HostID, _ state: MemberState, _ incarnation: Incarnation = 0, boot: Boot = Host.boot, source: Int = 2
  ) -> GossipFrame {
    .rumour(MemberRumour(host: host, boot: boot, incarnation: incarnation, state: state, source: id(source)))
  }

  mutating func receive(_ frame: GossipFrame, from index: Int) -> [Membership.Effect] {
    core.receive(frame, from: Self.id(index), boot: Self.boot, now: now)
  }

  func state(_ index: Int) -> MemberState? { core.state(of: Self.id(index)) }

  /// Goes to every deadline until `duration` is over. Nobody answers anything, but each TCP probe ends as told.
  mutating func run(
    for duration: Duration, tcp: (HostID) -> Membership.TCPProbeOutcome = { _ in .silent },
    answering: (GossipFrame, HostID) -> GossipFrame? = { _, _ in nil }
  ) -> [Membership.Effect] {
    let end = now + duration
    var all: [Membership.Effect] = []
    while let deadline = core.deadline, deadline <= end {
      now = max(now, deadline)
      var effects = core.advance(to: now)
      while !effects.isEmpty {
        all += effects
        let done = effects
        effects = []
        for effect in done {
          switch effect {
          case .probeTCP(let host, let sequence):
            effects += core.tcpProbe(of: host, sequence: sequence, outcome: tcp(host), now: now)
          case .send(let frames, let host):
            for answer in frames.compactMap({ answering($0, host) }) {
              effects += core.receive(answer, from: host, boot: Self.boot, now: now)
            }
          default: break
          }
        }
      }
    }
    now = end
    return all
  }
}

extension [Membership.Effect] {
  /// The frames sent to a member.
  func frames(to index: Int) -> [GossipFrame] {
    flatMap { effect -> [GossipFrame] in
      if case .send(let frames, let host) = effect, host == Host.id(index) { frames } else { [] }
    }
  }

  var sent: [GossipFrame] {
    flatMap { effect -> [GossipFrame] in
      if case .send(let frames, _) = effect { frames } else { [] }
    }
  }
}
