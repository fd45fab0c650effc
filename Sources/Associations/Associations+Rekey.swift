import Wire

extension Associations {
  /// Somebody asked for new keys.
  package mutating func rekey(now: Instant) -> [Effect] { request(.asked, at: now, now: now) }

  /// How many packets an outbound SA has carried so far.
  package mutating func sent(packets: UInt64, by association: Association, now: Instant) -> [Effect] {
    guard packets >= configuration.packetLimit, let peer = association.peer,
      let outbound = relations[peer]?.outbound, outbound.association == association,
      // An SA of an older epoch is about to be replaced already.
      outbound.pair?.own == number
    else { return [] }
    return request(.packets, at: now, now: now)
  }

  /// Draws an epoch at `at`, or as soon after as two of them may follow each other.
  mutating func request(_ reason: RekeyReason, at: Instant, now: Instant) -> [Effect] {
    guard isStarted else { return [] }
    let due = drawnAt.map { max(at, $0 + configuration.leastRekeyInterval) } ?? at
    if due <= now { return draw(reason, now: now) }
    // Of two reasons at one time the one that may turn out to be none gives way.
    if let pendingRekey, (pendingRekey.at, pendingRekey.reason.isRepair ? 1 : 0) <= (due, reason.isRepair ? 1 : 0) {
      return []
    }
    pendingRekey = (due, reason)
    return []
  }

  /// Repairs the SAs with a host by a new epoch, ever more seldom while it does not help.
  mutating func requestRepair(of peer: HostID, now: Instant) -> [Effect] {
    request(.lost(peer), at: max(now, repairs[peer]?.notBefore ?? now), now: now)
  }

  private var freshRepair: Backoff {
    Backoff(first: configuration.repairInterval, longest: configuration.longestRepairInterval)
  }

  /// A repair that another host is thought to make needless.
  mutating func delayRepair(of host: HostID, until time: Instant) {
    var repair = repairs[host] ?? freshRepair
    repair.wait(until: time)
    repairs[host] = repair
  }

  mutating func draw(_ reason: RekeyReason, now: Instant) -> [Effect] {
    // The end of the range is out of reach at one epoch a second; there the last epoch goes on.
    let (next, overflow) = number.addingReportingOverflow(1)
    guard !overflow else {
      rekeyAt = nil
      pendingRekey = nil
      return []
    }
    for host in roster where needsRepair(host) {
      var repair = repairs[host] ?? freshRepair
      repair.failed(now: now)
      repairs[host] = repair
    }
    // What was asked for under the last epoch and is not answered yet cannot be derived any more.
    for host in roster {
      relations[host]?.installing = nil
      relations[host]?.switching = nil
    }
    number = next
    isAwaitingEpoch = false
    drawnAt = now
    let interval = configuration.rekeyInterval * spread(configuration.rekeyJitter) / 1000
    rekeyAt = now + max(interval, configuration.leastRekeyInterval)
    pendingRekey = nil
    spentWithGone.removeAll()
    repairs = repairs.filter { relations[$0.key] != nil }
    return [.drawEpoch(number), .event(.rekeyed(epoch: number, reason))] + roster.flatMap { settle($0, now: now) }
  }

  /// What had to be repaired may have been made good by the peer's new epoch. Others that need an epoch ask again.
  func isNeeded(_ reason: RekeyReason) -> Bool {
    if case .lost(let host) = reason { needsRepair(host) } else { true }
  }

  /// The keys of the newest pair were used up without an SA that stands now: only another epoch helps.
  func needsRepair(_ host: HostID) -> Bool {
    guard let relation = relations[host], let pair = currentPair(with: relation.peer) else { return false }
    let lacksInbound =
      relation.isSpent(pair, .inbound) && relation.installing == nil && relation.inbound(of: pair) == nil
    let lacksOutbound =
      relation.isSpent(pair, .outbound) && relation.switching == nil && relation.usableOutbound?.pair != pair
    return lacksInbound || lacksOutbound
  }
}

extension RekeyReason {
  fileprivate var isRepair: Bool { if case .lost = self { true } else { false } }
}
