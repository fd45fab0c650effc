import Wire

extension Membership {
  /// When `advance(to:)` must be called next; nil while there is nothing to wait for.
  package var deadline: Instant? {
    guard isStarted, !roster.isEmpty else { return nil }
    var first: Instant?
    func consider(_ time: Instant?) {
      if let time, first.map({ time < $0 }) ?? true { first = time }
    }
    if !rumourQueue.isEmpty { consider(nextGossip) }
    if !isLeaving {
      consider(probe.map { $0.isIndirect || $0.isAnswered ? $0.end : $0.timeout } ?? nextProbe)
      consider(nextSilent)
    }
    for relay in relays.values { consider(relay.nackAt ?? relay.end) }
    for (host, suspicion) in suspicions {
      consider(suspicion.end)
      consider(table[host]?.tcpAt)
      if isWitnessed(host) { consider(suspicion.witnessTime) }
      if !isLeaving { consider(suspicion.checkAt) }
    }
    for (host, since) in agentsDown where table[host]?.state == .agentDown {
      consider(since + configuration.agentDownLimit)
    }
    return first
  }

  /// Does all that is due at `now`. Called early it does nothing; called late it knows that this host stood still.
  package mutating func advance(to now: Instant) -> [Effect] {
    guard isStarted else { return [] }
    var effects = observe(now)
    effects += expireRelays(now: now)
    effects += judgeSuspicions(now: now)
    effects += judgeAgentsDown(now: now)
    if !isLeaving {
      effects += advanceProbe(now: now)
      effects += pingSilent(now: now)
    }
    effects += gossip(now: now)
    return effects
  }

  /// Notices a pause of this host by an overdue deadline, at whatever input comes first. What was under way proves
  /// nothing then: probes are dropped without blame, suspicions start anew, and nobody is called dead before every
  /// member in force has been probed once more.
  mutating func observe(_ now: Instant) -> [Effect] {
    // A deadline may move into the past by an input, so the call after that input is what was due.
    let last = lastInput ?? now
    lastInput = max(last, now)
    guard isStarted, now > last + configuration.pauseTolerance, let deadline else { return [] }
    let due = max(deadline, last)
    guard now > due + configuration.pauseTolerance else { return [] }
    probe = nil
    relays.removeAll()
    nextProbe = now
    nextSilent = now
    nextGossip = now
    owed = Set(roster.filter { table[$0]?.isInForce ?? false })
    order.restart(using: &generator)
    health.change(by: 1)
    for host in suspicions.keys.sorted() {
      guard let source = suspicions[host]?.sources.first else { continue }
      table[host]?.tcpAt = now
      // (A probe of our own that failed before proves nothing either, so nobody is asked again for now.)
      suspicions[host] = Suspicion(source: source, now: now, live: liveCount, configuration: configuration)
    }
    guard !isLeaving else { return [.paused(now - due)] }
    return [.paused(now - due)] + pick(configuration.startBurst) { _, _ in true }.flatMap { ping($0, now: now) }
  }
}
