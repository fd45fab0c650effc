import Wire

extension Associations {
  /// When `advance(to:)` must be called next; nil while there is nothing to wait for.
  package var deadline: Instant? {
    guard isStarted else { return nil }
    var first: Instant?
    func consider(_ time: Instant?) {
      if let time, first.map({ time < $0 }) ?? true { first = time }
    }
    consider(rekeyAt)
    consider(pendingRekey?.at)
    if !strangers.isEmpty { consider(strangersEnd) }
    for relation in relations.values {
      for association in relation.inbound { consider(association.deadSince.map { $0 + configuration.retirement }) }
      guard relation.peer.isReachable else { continue }
      consider(relation.repetition?.nextAt)
      guard let pair = currentPair(with: relation.peer), isMissing(pair, in: relation) else { continue }
      consider(installTime(in: relation))
    }
    return first
  }

  /// When the kernel may be asked again, and enough of the dead may give their places up; nil if nothing holds the
  /// installation up, or only a word of the peer ends the wait.
  private func installTime(in relation: Relation) -> Instant? {
    let surplus = relation.inbound.count - inboundLimit
    guard surplus >= 0 else { return relation.refusals.notBefore }
    let free = relation.inbound.compactMap(\.freeAt).sorted()
    guard free.indices.contains(surplus) else { return nil }
    return relation.refusals.notBefore.map { max($0, free[surplus]) } ?? free[surplus]
  }

  /// The pair is to be installed as soon as that may be.
  private func isMissing(_ pair: EpochPair, in relation: Relation) -> Bool {
    relation.installing == nil && !relation.isSpent(pair, .inbound)
  }

  /// Does all that is due at `now`. Called early it does nothing.
  package mutating func advance(to now: Instant) -> [Effect] {
    guard isStarted else { return [] }
    var effects: [Effect] = []
    if let strangersEnd, strangersEnd <= now {
      effects += strangers.map { .remove($0.association) }
      strangers = []
    }
    if let due = pendingRekey, due.at <= now {
      pendingRekey = nil
      if isNeeded(due.reason) { effects += draw(due.reason, now: now) }
    } else if let rekeyAt, rekeyAt <= now {
      effects += request(.time, at: now, now: now)
    }
    for host in roster {
      effects += retire(host, now: now)
      guard relations[host]?.peer.isReachable ?? false else { continue }
      effects += settle(host, now: now)
      if let due = relations[host]?.repetition?.nextAt, due <= now { effects += say(host, now: now) }
    }
    return effects
  }

  /// Takes away inbound SAs that have been dead for long enough.
  private mutating func retire(_ host: HostID, now: Instant) -> [Effect] {
    guard var relation = relations[host] else { return [] }
    let isOver = { (association: InboundAssociation) in
      association.deadSince.map { $0 + configuration.retirement <= now } ?? false
    }
    let over = relation.inbound.filter(isOver)
    guard !over.isEmpty else { return [] }
    relation.inbound.removeAll(where: isOver)
    relation.forgetUseOfGone()
    relations[host] = relation
    return over.map { .remove($0.association) }
  }
}
