import Wire

extension Associations {
  /// The answer to `Effect.install`.
  package mutating func installed(
    _ association: Association, _ outcome: InstallOutcome, now: Instant
  ) -> [Effect] {
    guard let host = association.peer, let relation = relations[host], relation.installing == association,
      let pair = relation.spent.inbound
    else { return outcome == .done ? [.remove(association)] : [] }
    relations[host]?.installing = nil
    switch outcome {
    case .done:
      relations[host]?.spisTaken = 0
      relations[host]?.refusals.succeeded()
      relations[host]?.inbound.append(InboundAssociation(association, pair: pair))
      return settle(host, now: now)
    case .spiTaken:
      relations[host]?.restore(.inbound)
      relations[host]?.spisTaken += 1
      guard relation.spisTaken + 1 < configuration.spiAttempts else { return refused(host, now: now) }
      return settle(host, now: now)
    case .refused:
      relations[host]?.restore(.inbound)
      return refused(host, now: now)
    case .burnt: return [.remove(association)] + settle(host, now: now)
    }
  }

  private mutating func refused(_ host: HostID, now: Instant) -> [Effect] {
    relations[host]?.spisTaken = 0
    relations[host]?.refusals.failed(now: now)
    return []
  }

  /// The answer to `Effect.switchOutbound`.
  package mutating func switched(
    _ association: Association, _ outcome: InstallOutcome, now: Instant
  ) -> [Effect] {
    guard let host = association.peer, let relation = relations[host], relation.switching == association,
      let pair = relation.spent.outbound
    else { return outcome == .done ? [.remove(association)] : [] }
    relations[host]?.switching = nil
    switch outcome {
    case .done:
      let old = relation.outbound.map { [Effect.remove($0.association)] } ?? []
      relations[host]?.outbound = OutboundAssociation(association: association, pair: pair)
      return old + answer(host) + establish(host) + settle(host, now: now)
    case .refused:
      // The peer repeats its offer, and with it this is tried again.
      relations[host]?.restore(.outbound)
      return answer(host)
    case .spiTaken:
      // The peer goes on to offer this SPI for this pair: only another pair has another.
      return answer(host) + settle(host, now: now)
    case .burnt: return [.remove(association)] + answer(host) + settle(host, now: now)
    }
  }

  /// The kernel does not have the SA any more, or not as it was made.
  package mutating func lost(_ association: Association, now: Instant) -> [Effect] {
    guard let host = association.peer else {
      let count = strangers.count
      strangers.removeAll { $0.association == association }
      return strangers.count < count ? [.remove(association)] : []
    }
    guard var relation = relations[host], relation.all.contains(association) else { return [] }
    if relation.outbound?.association == association {
      relation.outbound = nil
      relation.isEstablished = false
    } else {
      relation.inbound.removeAll { $0.association == association }
      relation.forgetUseOfGone()
      relation.repetition = nil
    }
    relations[host] = relation
    return [.remove(association)] + settle(host, now: now)
  }
}
