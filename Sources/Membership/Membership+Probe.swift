import Wire

extension Membership {
  /// The protocol period: ping, then the other ways, then the verdict, then the next member.
  mutating func advanceProbe(now: Instant) -> [Effect] {
    var effects: [Effect] = []
    if let current = probe {
      if !current.isIndirect, !current.isAnswered, now >= current.timeout { effects += probeOtherWays(now: now) }
      if let current = probe, now >= current.end { effects += conclude(current, now: now) }
    }
    if probe == nil, let due = nextProbe, now >= due { effects += beginProbe(now: now) }
    return effects
  }

  private mutating func beginProbe(now: Instant) -> [Effect] {
    let end = now + health.scale(configuration.probeInterval)
    nextProbe = end
    let members = table
    guard let target = order.next(using: &generator, where: { members[$0]?.isInForce ?? false }) else {
      return []
    }
    let timeout = min(end, now + health.scale(configuration.probeTimeout))
    let new = Probe(target: target, sequence: nextSequence(), timeout: timeout, end: end)
    probe = new
    return [packet([.ping(sequence: new.sequence)], to: target)]
  }

  /// Asks others to probe the target and tries TCP in parallel (SWIM section 3.1).
  private mutating func probeOtherWays(now: Instant) -> [Effect] {
    guard var current = probe else { return [] }
    current.isIndirect = true
    // A late timer must not cut the time that the other ways have.
    current.end = max(current.end, now + (current.end - current.timeout))
    nextProbe = current.end
    if table[current.target]?.isReachable ?? false {
      let proven = reachableRelay(for: current.target)
      current.relays = pickReachable(configuration.indirectProbes, besides: current.target, first: proven)
    }
    probe = current
    return startTCP(current.target, now: now)
      + current.relays.map { packet([.pingRequest(sequence: current.sequence, target: current.target)], to: $0) }
  }

  /// Who passed on the last ack of `host` that did not come straight.
  func reachableRelay(for host: HostID) -> HostID? {
    table[host]?.relay.flatMap { table[$0]?.isReachable ?? false ? $0 : nil }
  }

  private mutating func conclude(_ current: Probe, now: Instant) -> [Effect] {
    probe = nil
    nextProbe = now
    owed.remove(current.target)
    if current.isAnswered {
      health.change(by: -1)
      return []
    }
    guard let member = table[current.target], member.isReachable else { return [] }
    // Relays that are alive say so by a nack; those that do not hint at a fault on this side (Lifeguard section IV-A).
    health.change(by: current.relays.isEmpty ? 1 : current.relays.count - current.nacks.count)
    let effects = suspect(current.target, now: now)
    // The TCP probe of this very round is evidence in the suspicion that the round ends in.
    if let seen = member.kernelSeen, seen >= current.timeout { table[current.target]?.kernelSeen = now }
    return effects
  }

  /// Pings one dead or never heard member in turn, so that two sides of a healed partition find each other; more of
  /// them while that seems to happen.
  mutating func pingSilent(now: Instant) -> [Effect] {
    guard let due = nextSilent, now >= due else { return [] }
    let isHealing = healingUntil.map { now < $0 } ?? false
    nextSilent = now + (isHealing ? configuration.healingInterval : configuration.silentInterval)
    var effects: [Effect] = []
    var pinged: Set<HostID> = []
    for _ in 0..<(isHealing ? max(1, configuration.healingBurst) : 1) {
      let members = table
      guard let target = silentOrder.next(using: &generator, where: { members[$0]?.isSilent ?? false }),
        pinged.insert(target).inserted
      else { break }
      effects += ping(target, now: now)
      if let member = table[target], member.standing == nil, member.lastBoot != nil {
        effects += startTCP(target, now: now)
      }
    }
    // Without anybody silent the search is over.
    if pinged.isEmpty, isHealing { nextSilent = now + configuration.silentInterval }
    return effects
  }

  /// There is a sign that a cut has healed. One search at a time.
  mutating func noticeHealing(now: Instant) {
    if let until = healingUntil, now < until { return }
    healingUntil = now + configuration.healingTime
    nextSilent = now
  }

  /// At most one TCP probe of a host is under way.
  mutating func startTCP(_ host: HostID, now: Instant) -> [Effect] {
    guard let member = table[host], member.tcp.map({ now >= $0.end }) ?? true else { return [] }
    let number = nextSequence()
    table[host]?.tcp = (number, now + configuration.tcpProbeTimeout + configuration.probeTimeout)
    return [.probeTCP(host, sequence: number)]
  }

  /// The end of an `Effect.probeTCP`; one that is not under way any more is ignored.
  package mutating func tcpProbe(
    of host: HostID, sequence: UInt32, outcome: TCPProbeOutcome, now: Instant
  ) -> [Effect] {
    let effects = observe(now)
    guard let member = table[host], member.tcp?.sequence == sequence else { return effects }
    table[host]?.tcp = nil
    switch outcome {
    case .agent:
      table[host]?.answered = now
      if probe?.target == host { probe?.isAnswered = true }
      return effects + (member.state == .alive ? [] : tell(host, now: now))
    case .kernel:
      table[host]?.kernelSeen = now
      return effects + kernelAnswered(host, now: now)
    case .silent:
      return effects + kernelSilent(host, now: now)
    }
  }

  /// Tells requesters that no ack has come, and forgets probes for others that are over.
  mutating func expireRelays(now: Instant) -> [Effect] {
    var effects: [Effect] = []
    for (number, relay) in relays.sorted(by: { $0.key < $1.key }) {
      if let due = relay.nackAt, now >= due {
        relays[number]?.nackAt = nil
        effects.append(.send([.nack(sequence: relay.sequence)], to: relay.requester))
      }
      if now >= relay.end { relays[number] = nil }
    }
    return effects
  }
}
