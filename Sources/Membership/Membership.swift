import Wire

/// Who is in the pool and how each host is: SWIM (Das, Gupta, Motivala, 2002) with Lifeguard (Dadgar, Phillips, Currey,
/// 2018), as a value without clock, socket or randomness of its own.
///
/// Every input takes the time and gives effects, which the shell carries out in their order. The shell calls
/// `advance(to:)` when `deadline` is reached and asks for the deadline again after every input. Hosts enter by
/// `add(_:lastBoot:now:)` alone, so nothing that a peer sends makes this value grow. `from` and `boot` of received
/// frames are what the seal of the packet proved.
package struct Membership: Sendable {
  package let host: HostID
  package let boot: Boot
  package let configuration: Configuration
  /// This host's answer to rumours about itself in this boot.
  package internal(set) var incarnation: Incarnation = 0
  /// Inputs that were not accepted since the start.
  package internal(set) var rejections: UInt64 = 0
  package internal(set) var isLeaving = false

  var isStarted = false
  var lastInput: Instant?
  var generator: SeededGenerator
  var health: LocalHealth
  var table: [HostID: Member] = [:]
  /// The keys of `table` in order, so that no choice depends on how a dictionary is laid out.
  var roster: [HostID] = []
  var sequence: UInt32 = 0

  var probe: Probe?
  var nextProbe: Instant?
  var order = ProbeOrder()
  var nextSilent: Instant?
  var silentOrder = ProbeOrder()
  /// Until then a cut is thought to heal.
  var healingUntil: Instant?
  var relays: [UInt32: Relay] = [:]
  /// Members to be probed after a pause before anybody may be called dead.
  var owed: Set<HostID> = []

  var suspicions: [HostID: Suspicion] = [:]
  /// Since when only the kernel of a host answers; kept until its agent is back.
  var agentsDown: [HostID: Instant] = [:]
  var rumourQueue = RumourQueue()
  /// Not before this goes news out again on its own.
  var nextGossip: Instant?
  /// Where the repetition of known states goes on.
  var refreshCursor = 0

  /// - Parameter seed: for probe order and jitter; the same seed and inputs give the same effects.
  package init(host: HostID, boot: Boot, configuration: Configuration = Configuration(), seed: UInt64) {
    self.host = host
    self.boot = boot
    self.configuration = configuration
    generator = SeededGenerator(seed: seed)
    health = LocalHealth(worst: configuration.worstHealth)
  }

  /// All other hosts, by ID.
  package var members: [MemberView] { roster.compactMap { view(of: $0) } }

  /// nil for a host that was not added. `dead` if nothing was heard of it yet.
  package func state(of host: HostID) -> MemberState? { view(of: host)?.state }

  package func view(of host: HostID) -> MemberView? {
    guard let member = table[host] else { return nil }
    return MemberView(
      host: host, state: member.state ?? .dead, boot: member.standing?.boot,
      incarnation: member.standing?.incarnation ?? 0)
  }

  /// Hosts whose statements are in force, this one included.
  var liveCount: Int { table.values.reduce(1) { $0 + ($1.isInForce ? 1 : 0) } }

  /// The probe cycle begins, and every known member hears of this boot at once.
  package mutating func start(now: Instant) -> [Effect] {
    guard !isStarted else { return [] }
    isStarted = true
    lastInput = now
    startTimers(now: now)
    return pick(configuration.startBurst) { _, _ in true }.flatMap { ping($0, now: now) }
  }

  /// A host that the pool's records name. It counts as dead until something is heard of it.
  ///
  /// - Parameter lastBoot: its boot by the records, if any: with it a host whose kernel answers while its agent is
  ///   silent is `agentDown` even for an agent that has just started.
  package mutating func add(_ host: HostID, lastBoot: Boot? = nil, now: Instant) -> [Effect] {
    guard host != self.host else { return [] }
    if let known = table[host] {
      if let lastBoot { table[host]?.lastBoot = max(lastBoot, known.lastBoot ?? lastBoot) }
      return []
    }
    let effects = observe(now)
    table[host] = Member(host: host, lastBoot: lastBoot)
    roster.insert(host, at: roster.firstIndex { host < $0 } ?? roster.count)
    order.insert(host, using: &generator)
    silentOrder.insert(host, using: &generator)
    guard isStarted, !isLeaving else { return effects }
    if roster.count == 1 { startTimers(now: now) }
    return effects + ping(host, now: now)
  }

  /// A host that left or was evicted: it is forgotten, and rumours about it are refused.
  package mutating func remove(_ host: HostID, now: Instant) -> [Effect] {
    guard table[host] != nil else { return [] }
    let effects = observe(now)
    table[host] = nil
    roster.removeAll { $0 == host }
    order.remove(host)
    silentOrder.remove(host)
    suspicions[host] = nil
    agentsDown[host] = nil
    owed.remove(host)
    rumourQueue.remove(host)
    relays = relays.filter { $0.value.requester != host && $0.value.target != host }
    if probe?.target == host { probe = nil }
    return effects
  }

  /// This host leaves the pool: it says so to all and probes nobody from now on. The shell goes on to carry out
  /// effects for a second or two, so that the word is passed on.
  package mutating func leave(now: Instant) -> [Effect] {
    guard !isLeaving else { return [] }
    lastInput = now
    isLeaving = true
    probe = nil
    spread(host, teller: nil, now: now)
    let own = GossipFrame.rumour(ownRumour)
    return roster.filter { table[$0]?.isReachable ?? false }.map { .send([own], to: $0) }
  }

  private mutating func startTimers(now: Instant) {
    nextProbe = now + jitter(configuration.probeInterval)
    nextSilent = now + jitter(configuration.silentInterval)
    nextGossip = now
  }

  /// Up to `count` members that fit, drawn at random.
  mutating func pick(_ count: Int, where fits: (HostID, Member) -> Bool) -> [HostID] {
    var fitting = roster.filter { host in table[host].map { fits(host, $0) } ?? false }
    let taken = min(max(0, count), fitting.count)
    for index in 0..<taken {
      fitting.swapAt(index, Int.random(in: index..<fitting.count, using: &generator))
    }
    return Array(fitting.prefix(taken))
  }

  /// Up to `count` members that should hear and answer: `first` if given, then the one heard last, which is sure to be
  /// in reach when most others are not, the rest at random.
  mutating func pickReachable(_ count: Int, besides excluded: HostID? = nil, first: HostID? = nil) -> [HostID] {
    let latest = roster.filter { $0 != excluded && $0 != first && (table[$0]?.isReachable ?? false) }
      .compactMap { host in table[host]?.heardAt.map { (host: host, at: $0) } }
      .max { $0.at < $1.at }?.host
    let chosen = Array([first, latest].compactMap { $0 }.prefix(max(0, count)))
    return chosen + pick(count - chosen.count) { $0 != excluded && !chosen.contains($0) && $1.isReachable }
  }

  mutating func nextSequence() -> UInt32 {
    sequence &+= 1
    return sequence
  }

  /// A random part of `duration`, so that hosts do not act in step.
  mutating func jitter(_ duration: Duration) -> Duration {
    duration * Int.random(in: 0..<1000, using: &generator) / 1000
  }

  mutating func reject(_ reason: Rejection) -> [Effect] {
    rejections &+= 1
    return [.rejected(reason)]
  }
}
