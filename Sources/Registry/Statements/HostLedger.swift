import Wire

/// What is held of another host: the boot in force, a later one whose first set is not complete, and its record.
struct HostLedger: Sendable {
  var current: BootLedger?
  var incoming: BootLedger?
  var record: HostRecord?
  var recordBoot: Boot?
  var recordVersion: Version = 0
  var memberState: MemberState?
  var memberBoot: Boot?
  var deadSince: Instant?
  /// Its claims and flood memberships do not count.
  var isHidden = false
  var floor: Floor?

  /// The ledger of the latest boot heard of.
  var latest: BootLedger? { incoming ?? current }

  /// What a digest says is held. A purged host that is not back counts as held up to its floor.
  func holding(of host: HostID) -> Holding? {
    if let latest { return Holding(owner: host, boot: latest.boot, version: latest.version) }
    guard let floor else { return nil }
    return Holding(owner: host, boot: floor.boot, version: isHeard ? 0 : floor.version)
  }

  /// Membership says that its agent, or at least its kernel, answers.
  private var isHeard: Bool {
    switch memberState {
    case .alive, .suspect, .agentDown: true
    case .dead, .left, nil: false
    }
  }

  /// Whether the floor lets a batch in: a purged host comes back in a later boot, or when it is heard itself.
  func admits(_ header: Batch.Header) -> Bool {
    guard let floor else { return true }
    if header.boot != floor.boot { return header.boot > floor.boot }
    return isHeard || latest != nil
  }

  /// Whether a complete set is late enough to take effect: not what stood before the purge.
  func isInForce(_ boot: BootLedger) -> Bool {
    guard boot.isComplete else { return false }
    guard let floor, floor.boot == boot.boot else { return true }
    return boot.version >= floor.version
  }
}
