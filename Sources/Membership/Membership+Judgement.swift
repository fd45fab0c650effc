import Wire

extension Membership {
  /// Makes `new` this host's knowledge of `host`, starts or ends what hangs on it and queues it as news. `new` stands
  /// above what was known.
  mutating func adopt(
    _ new: Standing, of host: HostID, source: HostID, teller: HostID?, now: Instant
  ) -> [Effect] {
    guard var member = table[host] else { return [] }
    let old = member.standing
    if old?.state == .dead, new.state == .alive { noticeHealing(now: now) }
    member.standing = new
    member.source = source
    member.tcpAt = nil
    member.witnessUntil = nil
    suspicions[host] = nil
    if new.boot != old?.boot {
      member.answered = nil
      member.kernelSeen = nil
      member.witnessAgainAt = nil
      agentsDown[host] = nil
    }
    switch new.state {
    case .alive, .left: agentsDown[host] = nil
    case .suspect:
      table[host] = member
      suspicions[host] = Suspicion(source: source, now: now, live: liveCount, configuration: configuration)
      member.tcpAt = now + jitter(configuration.probeTimeout / 2)
    case .agentDown:
      agentsDown[host] = agentsDown[host] ?? now
      member.recheckAt = now + configuration.agentDownRecheck
      if old?.state == .dead { member.witnessAgainAt = now + configuration.witnessInterval }
    case .dead:
      if old?.state.isInForce ?? false { member.witnessUntil = now + configuration.witnessWindow }
    }
    if !new.state.isInForce { owed.remove(host) }
    table[host] = member
    spread(host, teller: teller, now: now)
    if old?.state == new.state, old?.boot == new.boot { return [] }
    return [.changed(host, boot: new.boot, from: old?.state, to: new.state)]
  }

  /// This host's own probe of `host` failed.
  mutating func suspect(_ host: HostID, now: Instant) -> [Effect] {
    guard let standing = table[host]?.standing else { return [] }
    if standing.state == .suspect {
      suspicions[host]?.startChecking(now: now)
      if suspicions[host]?.confirm(by: self.host) ?? false { spread(host, teller: nil, now: now) }
      return []
    }
    let new = Standing(boot: standing.boot, incarnation: standing.incarnation, state: .suspect)
    let effects = adopt(new, of: host, source: self.host, teller: nil, now: now)
    suspicions[host]?.startChecking(now: now)
    return effects
  }

  mutating func judgeSuspicions(now: Instant) -> [Effect] {
    var effects: [Effect] = []
    for host in suspicions.keys.sorted() {
      guard let suspicion = suspicions[host], let member = table[host], let standing = member.standing else { continue }
      if let due = member.tcpAt, now >= due {
        table[host]?.tcpAt = nil
        effects += startTCP(host, now: now)
      }
      if !isLeaving, let due = suspicion.checkAt, now >= due { effects += probeAgain(host, now: now) }
      if isWitnessed(host), now >= suspicion.witnessTime {
        effects += witness(standing, of: host, now: now)
      } else if now >= suspicion.end {
        if !owed.isEmpty || member.answered.map({ $0 >= suspicion.start }) ?? false {
          table[host]?.answered = nil
          suspicions[host]?.postpone(to: now + configuration.probeInterval)
        } else if !suspicion.isLastLookDone, table.values.contains(where: \.isReachable) {
          // Maybe its answer has passed this host by: relays say at once what they know.
          effects += probeAgain(host, now: now)
          suspicions[host]?.isLastLookDone = true
          suspicions[host]?.postpone(to: now + configuration.probeTimeout / 2)
        } else {
          let new = Standing(boot: standing.boot, incarnation: standing.incarnation, state: .dead)
          effects += adopt(new, of: host, source: self.host, teller: nil, now: now)
        }
      }
    }
    return effects
  }

  /// One who suspects goes on looking for a way to the suspect, so that it is told and can answer.
  private mutating func probeAgain(_ host: HostID, now: Instant) -> [Effect] {
    let number = nextSequence()
    let relays = pickReachable(configuration.indirectProbes, besides: host, first: reachableRelay(for: host))
    suspicions[host]?.began(check: number, relays: relays, now: now)
    return relays.map { packet([.pingRequest(sequence: number, target: host)], to: $0) }
  }

  /// A silent agent's kernel keeps its statements in force for so long only. The death is told in an incarnation of its
  /// own, above every `agentDown` said so far.
  mutating func judgeAgentsDown(now: Instant) -> [Effect] {
    var effects: [Effect] = []
    for (host, since) in agentsDown.sorted(by: { $0.key < $1.key }) where now >= since + configuration.agentDownLimit {
      guard table[host]?.state == .agentDown, let new = table[host]?.standing?.raised(to: .dead) else { continue }
      effects += adopt(new, of: host, source: self.host, teller: nil, now: now)
    }
    return effects
  }

  /// Another host says that `host` is dead. If its kernel answered this host just now, the answer is `agentDown` in the
  /// same incarnation; if not, it is believed and the kernel asked.
  mutating func applyDeath(
    _ new: Standing, of host: HostID, source: HostID, teller: HostID, now: Instant
  ) -> [Effect] {
    guard let member = table[host], let old = member.standing, old.boot == new.boot else {
      return adopt(new, of: host, source: source, teller: teller, now: now)
    }
    let isFresh = member.kernelSeen.map { now - $0 <= configuration.agentDownRecheck * 2 } ?? false
    if isWitnessed(host) || (old.state == .agentDown && isFresh && mayContradict(host, now: now)) {
      if old.state == .agentDown { table[host]?.witnessAgainAt = now + configuration.witnessInterval }
      return witness(new, of: host, now: now)
    }
    let effects = adopt(new, of: host, source: source, teller: teller, now: now)
    return old.state.isInForce && mayContradict(host, now: now) ? effects + startTCP(host, now: now) : effects
  }

  /// A TCP probe found the kernel of `host` without its agent.
  mutating func kernelAnswered(_ host: HostID, now: Instant) -> [Effect] {
    guard let member = table[host] else { return [] }
    guard let standing = member.standing else {
      guard let boot = member.lastBoot else { return [] }
      return witness(Standing(boot: boot, incarnation: 0, state: .agentDown), of: host, now: now)
    }
    switch standing.state {
    case .suspect:
      guard let time = suspicions[host]?.witnessTime, now >= time, isWitnessed(host) else { return [] }
      return witness(standing, of: host, now: now)
    case .dead:
      guard let until = member.witnessUntil, now <= until, mayContradict(host, now: now) else { return [] }
      return witness(standing, of: host, now: now)
    case .alive, .agentDown, .left: return []
    }
  }

  /// A TCP probe found nothing: that confirms a suspicion. Of an `agentDown` host the others are asked by a new
  /// suspicion, in an incarnation of its own: whoever still sees the kernel answers it.
  mutating func kernelSilent(_ host: HostID, now: Instant) -> [Effect] {
    guard let member = table[host] else { return [] }
    if let suspicion = suspicions[host], !(member.answered.map { $0 >= suspicion.start } ?? false) {
      // A second way that failed confirms the suspicion.
      if suspicions[host]?.confirm(by: self.host) ?? false { spread(host, teller: nil, now: now) }
      return []
    }
    guard member.state == .agentDown, member.recheckAt.map({ now >= $0 }) ?? true,
      let new = member.standing?.raised(to: .suspect)
    else { return [] }
    return adopt(new, of: host, source: self.host, teller: nil, now: now)
  }

  /// The kernel of a suspect answered this host since the suspicion began, and not for too long.
  func isWitnessed(_ host: HostID) -> Bool {
    guard let seen = table[host]?.kernelSeen, let suspicion = suspicions[host], seen >= suspicion.start else {
      return false
    }
    return agentsDown[host].map { seen < $0 + configuration.agentDownLimit } ?? true
  }

  /// A death may be contradicted once in a while only, and not after the time that a kernel counts for: hosts that
  /// learned of the silent agent at different times would otherwise never agree on its end.
  private func mayContradict(_ host: HostID, now: Instant) -> Bool {
    if let since = agentsDown[host], now >= since + configuration.agentDownLimit { return false }
    return table[host]?.witnessAgainAt.map { now >= $0 } ?? true
  }

  private mutating func witness(_ standing: Standing, of host: HostID, now: Instant) -> [Effect] {
    let new = Standing(boot: standing.boot, incarnation: standing.incarnation, state: .agentDown)
    return adopt(new, of: host, source: self.host, teller: nil, now: now)
  }
}
