import Wire

extension Associations {
  /// Brings the SAs with a host nearer to what they should be: the newest pair stands here and is offered.
  mutating func settle(_ host: HostID, now: Instant) -> [Effect] {
    guard let relation = relations[host], relation.peer.isReachable, let pair = currentPair(with: relation.peer) else {
      return []
    }
    if needsRepair(host) {
      let effects = requestRepair(of: host, now: now)
      // A new epoch has settled everything; one that has to wait leaves the rest to be done.
      guard effects.isEmpty else { return effects }
    }
    if let standing = relation.inbound(of: pair) { return offer(standing, to: host, now: now) }
    guard relation.installing == nil, !relation.isSpent(pair, .inbound) else { return [] }
    if let notBefore = relation.refusals.notBefore, now < notBefore { return [] }
    guard let cleared = clearPlace(host, now: now) else { return wait(host, now: now) }
    return cleared + install(pair, with: host, now: now)
  }

  // MARK: Install

  mutating func install(_ pair: EpochPair, with host: HostID, now: Instant) -> [Effect] {
    guard let peer = relations[host]?.peer else { return [] }
    let association = Association(
      peer: host, direction: .inbound, spi: drawSPI(), local: local, remote: peer.vtep,
      key: keyName(.inbound, pair, with: host))
    relations[host]?.isWaiting = false
    relations[host]?.repetition = nil
    relations[host]?.installing = association
    relations[host]?.spend(pair, .inbound)
    return [.install(association)]
  }

  /// A random SPI under which this host expects nothing.
  private mutating func drawSPI() -> SPI {
    while true {
      if let spi = SPI(UInt32.random(in: .min ... .max, using: &generator)), !isExpected(spi) { return spi }
    }
  }

  private func isExpected(_ spi: SPI) -> Bool {
    relations.values.contains { $0.installing?.spi == spi || $0.inbound.contains { $0.spi == spi } }
      || strangers.contains { $0.direction == .inbound && $0.spi == spi }
  }

  // MARK: Places

  var inboundLimit: Int { max(1, configuration.inboundLimit) }

  /// Makes room for one more inbound SA by taking away those that died first; nil if none may go now.
  private mutating func clearPlace(_ host: HostID, now: Instant) -> [Effect]? {
    guard var relation = relations[host] else { return nil }
    var effects: [Effect] = []
    while relation.inbound.count >= inboundLimit {
      let free = relation.inbound.indices.filter { relation.inbound[$0].freeAt.map { $0 <= now } ?? false }
      guard
        let first = free.min(by: { left, right in
          (relation.inbound[left].deadSince ?? now, left) < (relation.inbound[right].deadSince ?? now, right)
        })
      else { return nil }
      effects.append(.remove(relation.inbound.remove(at: first).association))
    }
    relation.forgetUseOfGone()
    relations[host] = relation
    return effects
  }

  /// No place: if one of those that stand is dead, its time is awaited, else the peer is asked which one it uses.
  private mutating func wait(_ host: HostID, now: Instant) -> [Effect] {
    guard let relation = relations[host], !relation.inbound.contains(where: \.isDead) else {
      relations[host]?.repetition = nil
      return []
    }
    var effects: [Effect] = []
    if !relation.isWaiting {
      relations[host]?.isWaiting = true
      effects.append(.event(.waiting(host)))
    }
    if case .question? = relation.repetition?.content { return effects }
    guard let any = relation.inbound.last?.spi else { return effects }
    return effects + begin(.question(any), with: host, now: now)
  }

  // MARK: Offers and questions

  private mutating func offer(_ standing: InboundAssociation, to host: HostID, now: Instant) -> [Effect] {
    guard let relation = relations[host] else { return [] }
    guard !standing.isDead, !standing.isConfirmed else {
      relations[host]?.repetition = nil
      return []
    }
    if relation.repetition?.content == .offer(standing.spi) { return [] }
    return begin(.offer(standing.spi), with: host, now: now)
  }

  private mutating func begin(_ content: Repetition.Content, with host: HostID, now: Instant) -> [Effect] {
    relations[host]?.repetition = Repetition(content, first: configuration.offerInterval, now: now)
    return say(host, now: now)
  }

  /// Says what is being repeated to a host, now.
  mutating func say(_ host: HostID, now: Instant) -> [Effect] {
    let spread = spread(100)
    guard let relation = relations[host], let content = relation.repetition?.content else { return [] }
    relations[host]?.repetition?.said(now: now, spread: spread, longest: configuration.longestOfferInterval)
    let epoch = relation.peer.epoch
    let frame: GossipFrame =
      switch content {
      case .offer(let spi): .standing(epoch: number, receiverEpoch: epoch.number, spi: spi)
      // No epoch has the number 0, so this offers nothing and is answered all the same.
      case .question(let spi): .standing(epoch: 0, receiverEpoch: 0, spi: spi)
      }
    // The report goes along, so that the peer need not ask for it if it has no place for the SA of this pair.
    return [.send(frame, to: host, boot: epoch.boot)] + answer(host)
  }

  /// The peer's own offer shows that it knows this host's epoch now, so what it may have dropped before is said again at
  /// once: then both directions stand one round trip after both hosts know each other.
  mutating func hurry(_ host: HostID, now: Instant) -> [Effect] {
    guard let repetition = relations[host]?.repetition, !repetition.isHurried else { return [] }
    relations[host]?.repetition = Repetition(repetition.content, first: configuration.offerInterval, now: now)
    relations[host]?.repetition?.isHurried = true
    return say(host, now: now)
  }
}
