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

  /// What a digest says is held. A purged host that is still dead counts as held up to its floor.
  func holding(of host: HostID) -> Holding? {
    if let latest { return Holding(owner: host, boot: latest.boot, version: latest.version) }
    guard let floor else { return nil }
    return Holding(owner: host, boot: floor.boot, version: isDead ? floor.version : 0)
  }

  var isDead: Bool { memberState == .dead }

  /// Whether the floor lets a batch in: a purged host comes back only by what it says after its return.
  func admits(_ header: Batch.Header) -> Bool {
    guard let floor else { return true }
    if header.boot != floor.boot { return header.boot > floor.boot }
    return isDead ? header.asOf > floor.version : header.asOf >= floor.version
  }
}
