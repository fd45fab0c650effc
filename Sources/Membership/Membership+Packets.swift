import Wire

extension Membership {
  /// What this host says about itself.
  var ownRumour: MemberRumour {
    MemberRumour(
      host: host, boot: boot, incarnation: incarnation, state: isLeaving ? .left : .alive, source: host)
  }

  /// News for a packet to `receiver` that goes out anyway, at most `budget` bytes when encoded. The packets of
  /// `Effect.send` carry theirs already.
  package mutating func rumours(for receiver: HostID, budget: Int = GossipPacket.maximumPlaintext) -> [GossipFrame] {
    let size = GossipFrame.rumour(ownRumour).encodedSize
    let limit = (configuration.retransmissions * Logarithm.poolFactor(liveCount + 1) + 999) / 1000
    return rumourQueue.take(max(0, budget) / size, for: receiver, limit: limit).compactMap { host, sent in
      rumour(about: host, turn: sent).map { .rumour($0) }
    }
  }

  /// `frames`, then what the sender says of itself, what the receiver must know first of all (that it is not held for
  /// alive: Lifeguard section IV-C), news, and some known states in turn.
  mutating func packet(_ frames: [GossipFrame], to receiver: HostID) -> Effect {
    var all = frames + [.rumour(ownRumour)]
    if let standing = table[receiver]?.standing, standing.state != .alive,
      let told = rumour(about: receiver, turn: 0)
    {
      all.append(.rumour(told))
    }
    var left = configuration.packetBudget - all.reduce(0) { $0 + $1.encodedSize }
    let news = rumours(for: receiver, budget: left)
    all += news
    left -= news.reduce(0) { $0 + $1.encodedSize }
    for frame in refreshed(for: receiver) where left >= frame.encodedSize && !all.contains(frame) {
      all.append(frame)
      left -= frame.encodedSize
    }
    return .send(all, to: receiver)
  }

  mutating func ping(_ host: HostID, now: Instant) -> [Effect] { [packet([.ping(sequence: nextSequence())], to: host)] }

  /// Tells a host what is held of it, outside a probe, so that it can answer for itself. Bounded in time.
  mutating func tell(_ host: HostID, now: Instant) -> [Effect] {
    guard let told = rumour(about: host, turn: 0), mayTell(host, now: now) else { return [] }
    return [.send([.rumour(told)], to: host)]
  }

  /// Whether a host may be sent something outside a probe once more; if so, it counts as done.
  mutating func mayTell(_ host: HostID, now: Instant) -> Bool {
    if let last = table[host]?.toldAt, now < last + configuration.gossipInterval { return false }
    table[host]?.toldAt = now
    return true
  }

  /// Makes the state of `host` news.
  mutating func spread(_ host: HostID, teller: HostID?, now: Instant) {
    // While there was no news its timer stood still.
    if rumourQueue.isEmpty { nextGossip = max(nextGossip ?? now, now) }
    rumourQueue.insert(host, teller: teller)
  }

  /// Sends news on its own, to a few members at random.
  mutating func gossip(now: Instant) -> [Effect] {
    guard !rumourQueue.isEmpty, let due = nextGossip, now >= due else { return [] }
    nextGossip = now + configuration.gossipInterval
    var effects: [Effect] = []
    for receiver in pickReachable(configuration.gossipFanout) {
      let frames = rumours(for: receiver, budget: configuration.packetBudget)
      if !frames.isEmpty { effects.append(.send(frames, to: receiver)) }
    }
    // News that nobody in reach lacks must not keep the timer running.
    if effects.isEmpty { rumourQueue.age(limit: configuration.retransmissions) }
    return effects
  }

  /// The current state of a host as a rumour. Those who suspect it take turns as its source, so that the suspicion is
  /// confirmed elsewhere too.
  func rumour(about host: HostID, turn: Int) -> MemberRumour? {
    if host == self.host { return ownRumour }
    guard let member = table[host], let standing = member.standing else { return nil }
    var source = member.source
    if let sources = suspicions[host]?.sources { source = sources[turn % sources.count] }
    return MemberRumour(
      host: host, boot: standing.boot, incarnation: standing.incarnation, state: standing.state, source: source)
  }

  private mutating func refreshed(for receiver: HostID) -> [GossipFrame] {
    var frames: [GossipFrame] = []
    for _ in 0..<min(configuration.refreshedPerPacket, roster.count) {
      refreshCursor = (refreshCursor + 1) % roster.count
      let host = roster[refreshCursor]
      if host != receiver, let rumour = rumour(about: host, turn: refreshCursor) { frames.append(.rumour(rumour)) }
    }
    return frames
  }
}
