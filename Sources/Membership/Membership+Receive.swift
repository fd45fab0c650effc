import Wire

extension Membership {
  /// A counter further above the known one than this is not believed.
  static let largestStep: UInt64 = 1 << 32

  /// A hello of `host` was accepted. It is signed but may be an old one sent again by anybody, so it proves nobody
  /// alive: a host that is not held for alive in this boot is pinged at once, and its sealed answer counts.
  ///
  /// - Parameter boot: the boot that the hello names; nil if it names none.
  package mutating func greeted(_ host: HostID, boot: Boot?, now: Instant) -> [Effect] {
    let effects = observe(now)
    guard let member = table[host] else { return effects + reject(.unknownHost(host)) }
    if let boot {
      guard isBelievable(boot, of: host) else { return effects + reject(.boot(host, boot)) }
      table[host]?.lastBoot = max(boot, member.lastBoot ?? boot)
      if let standing = member.standing, standing.state == .alive, standing.boot >= boot { return effects }
    }
    guard isStarted, !isLeaving, mayTell(host, now: now) else { return effects }
    return effects + ping(host, now: now)
  }

  /// An authentic packet came straight from `host` in `boot`. A higher boot makes it alive at once; a host that is not
  /// held for alive, or still runs a lower boot, is told so.
  package mutating func heard(from host: HostID, boot: Boot, now: Instant) -> [Effect] {
    heard(from: host, boot: boot, isTold: false, now: now)
  }

  /// - Parameter isTold: the answer that is due anyway tells the sender how it is held.
  private mutating func heard(from host: HostID, boot: Boot, isTold: Bool, now: Instant) -> [Effect] {
    let effects = observe(now)
    guard let member = table[host] else { return effects + reject(.unknownHost(host)) }
    table[host]?.heardAt = now
    guard let standing = member.standing, boot <= standing.boot else {
      guard isBelievable(boot, of: host) else { return effects + reject(.boot(host, boot)) }
      return effects
        + adopt(
          Standing(boot: boot, incarnation: 0, state: .alive), of: host, source: host, teller: host, now: now)
    }
    if boot == standing.boot, standing.state == .alive || isTold { return effects }
    return effects + tell(host, now: now)
  }

  /// A frame of a packet from `host`. Pings, acks, ping requests, nacks and rumours matter here; others are ignored.
  package mutating func receive(
    _ frame: GossipFrame, from sender: HostID, boot: Boot, now: Instant
  ) -> [Effect] {
    let isPing = if case .ping = frame { true } else { false }
    var effects = heard(from: sender, boot: boot, isTold: isPing, now: now)
    guard table[sender]?.standing?.boot == boot else { return effects }
    switch frame {
    case .ping(let number): effects.append(packet([.ack(sequence: number)], to: sender))
    case .ack(let number): effects += receiveAck(number, from: sender, now: now)
    case .nack(let number):
      if let current = probe, current.sequence == number, current.relays.contains(sender) {
        probe?.nacks.insert(sender)
      }
    case .pingRequest(let number, let target):
      effects += receivePingRequest(number, target: target, from: sender, now: now)
    case .rumour(let rumour):
      effects += rumour.host == host ? answer(rumour, from: sender, now: now) : apply(rumour, from: sender, now: now)
    case .advert, .have, .want, .batch, .record, .recordsSeen, .standing, .sending: break
    }
    return effects
  }

  private mutating func receiveAck(_ number: UInt32, from sender: HostID, now: Instant) -> [Effect] {
    if let current = probe, current.accepts(number, from: sender) {
      probe?.isAnswered = true
      table[current.target]?.answered = now
      if sender != current.target { table[current.target]?.relay = sender }
      return []
    }
    for suspect in suspicions.keys.sorted() where suspicions[suspect]?.accepts(number, from: sender) ?? false {
      table[suspect]?.answered = now
      table[suspect]?.relay = sender
      return []
    }
    guard let relay = relays[number], relay.target == sender else { return [] }
    relays[number] = nil
    return [packet([.ack(sequence: relay.sequence)], to: relay.requester)]
  }

  private mutating func receivePingRequest(
    _ number: UInt32, target: HostID, from sender: HostID, now: Instant
  ) -> [Effect] {
    if target == host { return [packet([.ack(sequence: number)], to: sender)] }
    guard table[target] != nil else { return reject(.unknownHost(target)) }
    guard relays.count < configuration.relayLimit else { return reject(.relays(from: sender)) }
    let own = nextSequence()
    relays[own] = Relay(
      requester: sender, sequence: number, target: target, nackAt: now + configuration.probeTimeout * 4 / 5,
      end: now + configuration.probeInterval)
    // The requester learns at once what this host knows of the target.
    let known = rumour(about: target, turn: 0).map { [Effect.send([.rumour($0)], to: sender)] } ?? []
    return [packet([.ping(sequence: own)], to: target)] + known
  }

  /// A rumour about another host: the greater standing wins, an equal suspicion is confirmed.
  private mutating func apply(_ rumour: MemberRumour, from sender: HostID, now: Instant) -> [Effect] {
    let subject = rumour.host
    guard let member = table[subject] else { return reject(.unknownHost(subject)) }
    let new = Standing(boot: rumour.boot, incarnation: rumour.incarnation, state: rumour.state)
    if let old = member.standing {
      if new < old { return [] }
      if new == old {
        if new.state == .suspect, rumour.source != host,
          suspicions[subject]?.confirm(by: rumour.source) ?? false
        {
          spread(subject, teller: sender, now: now)
        }
        return []
      }
    }
    guard isBelievable(new.boot, of: subject) else { return reject(.boot(subject, new.boot)) }
    let known = member.standing.map { $0.boot == new.boot ? $0.incarnation : 0 } ?? 0
    guard new.incarnation <= known || new.incarnation - known <= Self.largestStep else {
      return reject(.incarnation(subject, new.incarnation))
    }
    if new.state == .dead { return applyDeath(new, of: subject, source: rumour.source, teller: sender, now: now) }
    return adopt(new, of: subject, source: rumour.source, teller: sender, now: now)
  }

  /// A rumour about this host. Whatever stands above the truth is outdone by one incarnation more; whoever is behind
  /// hears the truth again.
  private mutating func answer(_ rumour: MemberRumour, from sender: HostID, now: Instant) -> [Effect] {
    if rumour.boot > boot {
      guard rumour.boot.counter <= boot.counter || rumour.boot.counter - boot.counter <= Self.largestStep else {
        return reject(.boot(host, rumour.boot))
      }
      return [.ownBootSeen(rumour.boot)]
    }
    let own = Standing(boot: boot, incarnation: incarnation, state: ownRumour.state)
    let said = Standing(boot: rumour.boot, incarnation: rumour.incarnation, state: rumour.state)
    if said == own { return [] }
    if said < own {
      if !rumourQueue.contains(host) { spread(host, teller: nil, now: now) }
      return []
    }
    let (next, overflow) = rumour.incarnation.addingReportingOverflow(isLeaving ? 0 : 1)
    guard !overflow, rumour.incarnation - incarnation <= Self.largestStep else {
      return reject(.incarnation(host, rumour.incarnation))
    }
    incarnation = next
    spread(host, teller: nil, now: now)
    let reply = Effect.send([.rumour(ownRumour)], to: sender)
    if isLeaving { return [reply] }
    if rumour.state == .suspect { health.change(by: 1) }
    if rumour.state == .dead { noticeHealing(now: now) }
    return [.refuted(next), reply]
  }

  private func isBelievable(_ boot: Boot, of host: HostID) -> Bool {
    guard let member = table[host] else { return false }
    let known = max(member.standing?.boot.counter ?? 0, member.lastBoot?.counter ?? 0)
    return boot.counter <= known || boot.counter - known <= Self.largestStep
  }
}
