import Membership
import Testing
import Wire

/// An agent that is nothing but `Membership`.
struct MemberNode: SimulatedNode {
  private(set) var membership: Membership
  /// Every change of state that this run saw, in order.
  private(set) var changes: [(host: HostID, to: MemberState)] = []
  private(set) var pauses = 0
  private(set) var refutations = 0
  private(set) var ownBootsSeen = 0

  init(host: HostID, boot: Boot, seed: UInt64, configuration: Membership.Configuration = .init()) {
    membership = Membership(host: host, boot: boot, configuration: configuration, seed: seed)
  }

  var deadline: Instant? { membership.deadline }

  mutating func start(peers: [HostID], now: Instant) -> [NodeEffect] {
    var effects: [Membership.Effect] = []
    for peer in peers { effects += membership.add(peer, now: now) }
    effects += membership.start(now: now)
    return translate(effects)
  }

  mutating func add(_ host: HostID, now: Instant) -> [NodeEffect] { translate(membership.add(host, now: now)) }

  mutating func greeted(by host: HostID, boot: Boot, now: Instant) -> [NodeEffect] {
    translate(membership.greeted(host, boot: boot, now: now))
  }

  mutating func receive(_ frames: [GossipFrame], from host: HostID, boot: Boot, now: Instant) -> [NodeEffect] {
    translate(frames.flatMap { membership.receive($0, from: host, boot: boot, now: now) })
  }

  mutating func tcpProbe(
    of host: HostID, sequence: UInt32, outcome: Membership.TCPProbeOutcome, now: Instant
  ) -> [NodeEffect] { translate(membership.tcpProbe(of: host, sequence: sequence, outcome: outcome, now: now)) }

  mutating func advance(to now: Instant) -> [NodeEffect] { translate(membership.advance(to: now)) }

  mutating func leave(now: Instant) -> [NodeEffect] { translate(membership.leave(now: now)) }

  private mutating func translate(_ effects: [Membership.Effect]) -> [NodeEffect] {
    effects.map { effect in
      switch effect {
      case .send(let frames, let to): return .send(frames, to: to)
      case .probeTCP(let host, let sequence): return .probeTCP(host, sequence: sequence)
      case .changed(let host, let boot, let from, let to):
        changes.append((host, to))
        let before = from.map { "\($0)" } ?? "unknown"
        return .note("\(host.low) in boot \(boot.counter) \(before) -> \(to)")
      case .refuted(let incarnation):
        refutations += 1
        return .note("refutes with \(incarnation)")
      case .ownBootSeen(let boot):
        ownBootsSeen += 1
        return .note("own boot \(boot.counter)")
      case .paused(let duration):
        pauses += 1
        return .note("stood still for \(duration)")
      case .rejected(let reason): return .note("rejects: \(reason)")
      }
    }
  }
}

extension Simulation where Node == MemberNode {
  init(
    members count: Int, seed: UInt64, conditions: NetworkConditions = .lan,
    configuration: Membership.Configuration = .init()
  ) {
    self.init(count, seed: seed, conditions: conditions) { host, boot, seed in
      MemberNode(host: host, boot: boot, seed: seed, configuration: configuration)
    }
  }

  /// A pool in which everybody holds everybody else for alive.
  static func settled(
    _ count: Int, seed: UInt64, conditions: NetworkConditions = .lan,
    configuration: Membership.Configuration = .init()
  ) -> Self {
    var pool = Self(members: count, seed: seed, conditions: conditions, configuration: configuration)
    pool.startAll()
    if pool.run(atMost: .seconds(30), until: { $0.allAlive() }) == nil { Issue.record("the pool does not form") }
    // News of the start dies away.
    pool.run(for: .seconds(5))
    return pool
  }

  func state(of subject: Int, at observer: Int) -> MemberState? {
    hosts[observer].node.membership.state(of: Self.id(subject))
  }

  var running: [Int] { hosts.indices.filter { hosts[$0].condition == .running } }

  /// Every running host but `subject` says so.
  func everybody(says state: MemberState, of subject: Int) -> Bool {
    running.allSatisfy { $0 == subject || self.state(of: subject, at: $0) == state }
  }

  /// Every running host holds every other running host for alive, in its present boot.
  func allAlive() -> Bool {
    running.allSatisfy { subject in
      running.allSatisfy { observer in
        guard observer != subject else { return true }
        let view = hosts[observer].node.membership.view(of: Self.id(subject))
        return view?.state == .alive && view?.boot == hosts[subject].boot
      }
    }
  }

  /// Every running host knows the present incarnation of every other.
  func allIncarnationsKnown() -> Bool {
    running.allSatisfy { subject in
      let incarnation = hosts[subject].node.membership.incarnation
      return running.allSatisfy { observer in
        observer == subject
          || hosts[observer].node.membership.view(of: Self.id(subject))?.incarnation == incarnation
      }
    }
  }

  /// Pauses that the present runs noticed.
  var pauses: Int { hosts.reduce(0) { $0 + $1.node.pauses } }

  /// How often anybody came to hold `subject` for `state`.
  func count(of state: MemberState, about subject: Int) -> Int {
    hosts.reduce(0) { sum, host in
      sum + host.node.changes.count { $0.host == Self.id(subject) && $0.to == state }
    }
  }

  func count(of state: MemberState) -> Int { hosts.indices.reduce(0) { $0 + count(of: state, about: $1) } }
}
