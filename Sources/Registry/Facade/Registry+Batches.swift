import Wire

// Batches of other hosts: what is let in, and what it changes.
extension Registry {
  /// Takes a batch up. `isAuthentic` if it came straight from its owner, or was checked before.
  ///
  /// - Returns: whether it brought something new.
  @discardableResult
  mutating func take(batch bytes: [UInt8], from sender: HostID, isAuthentic: Bool, now: Instant, verify: Verify) -> Bool
  {
    do throws(WireError) {
      let header = try Batch.Header(bytes: bytes)
      guard header.owner != host else {
        try takeOwn(bytes, header, from: sender, verify: verify)
        return false
      }
      guard !pool.isGone(header.owner) else {
        reject(sender, .notAMember(header.owner))
        return false
      }
      let ledger = ledgers[header.owner] ?? HostLedger()
      guard ledger.admits(header), isNews(bytes, header, ledger) else { return false }
      guard !isLeap(header, ledger, from: sender) else { return false }
      let batch = try Batch(bytes: bytes)
      try Self.validate(batch)
      guard isAuthentic || verifies(batch, verify: verify) else {
        reject(sender, .badSignature(header.owner))
        return false
      }
      guard !hasLeapingClaim(batch, from: sender) else { return false }
      return apply(batch, from: sender, now: now)
    } catch {
      reject(sender, .malformed("batch: \(error)"))
      return false
    }
  }

  private func verifies(_ batch: Batch, verify: Verify) -> Bool {
    verify(batch.header.owner, certificate(of: batch.header.owner), batch.message, batch.signature)
  }

  /// Somebody else knows this host: in an earlier boot, which seeds the first claims, or in one that cannot be.
  private mutating func takeOwn(_ bytes: [UInt8], _ header: Batch.Header, from sender: HostID, verify: Verify)
    throws(WireError)
  {
    if header.boot == boot, header.asOf <= own.version { return }
    if header.boot < boot, local.isSynced { return }
    let batch = try Batch(bytes: bytes)
    guard verifies(batch, verify: verify) else {
      reject(sender, .badSignature(host))
      return
    }
    if header.boot >= boot { effects.append(.ownBootSeen(header.boot)) } else { try takeSeed(batch) }
  }

  private func isNews(_ bytes: [UInt8], _ header: Batch.Header, _ ledger: HostLedger) -> Bool {
    guard let latest = ledger.latest else { return true }
    if header.boot != latest.boot { return header.boot > latest.boot }
    return !latest.holds(bytes, header)
  }

  private mutating func isLeap(_ header: Batch.Header, _ ledger: HostLedger, from sender: HostID) -> Bool {
    let knownBoot = max(ledger.latest?.boot.counter ?? 0, ledger.floor?.boot.counter ?? 0)
    if header.boot.counter > knownBoot, header.boot.counter - knownBoot > Self.leap {
      reject(sender, .leap("boot counter"))
      return true
    }
    let known = ledger.latest.map { $0.boot == header.boot ? $0.version : 0 } ?? 0
    if header.asOf > known, header.asOf - known > Self.leap {
      reject(sender, .leap("version"))
      return true
    }
    return false
  }

  private mutating func hasLeapingClaim(_ batch: Batch, from sender: HostID) -> Bool {
    for statement in batch.statements {
      guard case .claim(let network, let mac) = statement.key, let claim = try? Claim(bytes: statement.value) else {
        continue
      }
      let known = index.highest(at: BindingKey(network: network, mac: mac)).value
      if claim.sequence.value > known, claim.sequence.value - known > Self.leap {
        reject(sender, .leap("mobility sequence"))
        return true
      }
    }
    return false
  }

  private mutating func apply(_ batch: Batch, from sender: HostID, now: Instant) -> Bool {
    let owner = batch.header.owner
    // Taken out of their places while they change, so that no table is copied.
    var ledger = ledgers.removeValue(forKey: owner) ?? HostLedger()
    let isCurrent = ledger.current?.boot == batch.header.boot
    var boot = (isCurrent ? ledger.current : ledger.incoming) ?? BootLedger(boot: batch.header.boot)
    if boot.boot != batch.header.boot { boot = BootLedger(boot: batch.header.boot) }
    guard boot.count(with: batch) <= BootLedger.statementLimit else {
      ledgers[owner] = ledger
      reject(sender, .tooMany("statements of \(owner)"))
      return false
    }
    if isCurrent { ledger.current = nil } else { ledger.incoming = nil }
    let outcome = boot.apply(batch)
    if isCurrent { ledger.current = boot } else { ledger.incoming = boot }
    let isNewRecord = takeRecord(batch, into: &ledger)
    ledgers[owner] = ledger
    for change in outcome.changes {
      noteFading(change, of: owner, boot: batch.header.boot, now: now)
      if isCurrent { put(change.key, change.new?.value, of: owner, now: now) }
    }
    if isNewRecord { effects.append(.hostChanged(owner)) }
    if !isCurrent, ledger.isInForce(boot) { promote(owner, now: now) }
    let version = boot.version
    if outcome.hasGap {
      askForMore(of: owner, boot: batch.header.boot, after: version, from: sender, now: now)
    } else if boot.wantsCompaction, replication.peers[owner] != nil {
      replication.ask(owner, Replication.Want(owner: owner, boot: batch.header.boot, after: 0), now: now)
    }
    return outcome.advanced || !outcome.changes.isEmpty
  }

  private func takeRecord(_ batch: Batch, into ledger: inout HostLedger) -> Bool {
    guard let statement = batch.statements.last(where: { $0.key == .host }),
      let record = try? HostRecord(bytes: statement.value)
    else { return false }
    if let known = ledger.recordBoot {
      guard batch.header.boot > known || (batch.header.boot == known && statement.version > ledger.recordVersion) else {
        return false
      }
    }
    let isOther = ledger.record != record || ledger.recordBoot != batch.header.boot
    ledger.record = record
    ledger.recordBoot = batch.header.boot
    ledger.recordVersion = statement.version
    return isOther
  }

  private mutating func askForMore(of owner: HostID, boot: Boot, after: Version, from sender: HostID, now: Instant) {
    let target = replication.peers[owner] != nil ? owner : sender
    replication.ask(target, Replication.Want(owner: owner, boot: boot, after: after), now: now)
  }

  private mutating func noteFading(_ change: BootLedger.Change, of owner: HostID, boot: Boot, now: Instant) {
    guard let statement = change.new else { return }
    let isGone =
      switch change.key {
      case .claim: (try? Claim(bytes: statement.value))?.state == .withdrawn
      case .network: (try? NetworkStatus.read(statement.value)) == .some(nil)
      default: false
      }
    guard isGone else { return }
    fading.append(
      FadingStatements.Entry(since: now, host: owner, boot: boot, key: change.key, version: statement.version))
  }

  /// Puts a statement of a boot in force into the indexes.
  private mutating func put(_ key: StatementKey, _ value: [UInt8]?, of owner: HostID, now: Instant) {
    switch key {
    case .claim(let network, let mac):
      let claim = value.flatMap { try? Claim(bytes: $0) }
      setClaim(claim, of: owner, at: BindingKey(network: network, mac: mac), now: now)
    case .network(let network):
      let status = value.flatMap { (try? NetworkStatus.read($0)) ?? nil }
      setStatus(status, of: owner, network: network)
    case .host, .complete, .unknown: break
    }
  }

  /// The first set of a new boot is complete: it replaces the statements of the earlier boot.
  private mutating func promote(_ owner: HostID, now: Instant) {
    guard var ledger = ledgers[owner], let incoming = ledger.incoming else { return }
    let old = ledger.current?.statements ?? [:]
    ledger.current = incoming
    ledger.incoming = nil
    ledgers[owner] = ledger
    let keys = Set(old.keys).union(incoming.statements.keys).sorted(by: StatementKey.precedes)
    for key in keys where old[key]?.value != incoming.statements[key]?.value {
      put(key, incoming.statements[key]?.value, of: owner, now: now)
    }
    effects.append(.event(.completed(owner, incoming.boot)))
    effects.append(.hostChanged(owner))
    if ledger.isHidden, ledger.memberState != .dead, ledger.memberState != .left { setHidden(false, owner, now: now) }
  }

  /// Hides a host's claims and flood memberships, or brings them back.
  mutating func setHidden(_ isHidden: Bool, _ owner: HostID, now: Instant) {
    guard var ledger = ledgers[owner], ledger.isHidden != isHidden else { return }
    ledger.isHidden = isHidden
    ledgers[owner] = ledger
    let keys = (ledger.current?.statements ?? [:]).keys.sorted(by: StatementKey.precedes)
    let claimed = keys.compactMap { key -> BindingKey? in
      guard case .claim(let network, let mac) = key else { return nil }
      return BindingKey(network: network, mac: mac)
    }
    let old = claimed.map { index.owner(at: $0) }
    index.setHidden(isHidden, owner)
    for (key, before) in zip(claimed, old) {
      let after = index.owner(at: key)
      if before != after { effects.append(.bindingChanged(key.network, key.mac, old: before, new: after)) }
    }
    for case .network(let network) in keys {
      guard let status = statuses.status(of: owner, network: network) else { continue }
      if status.takesFlood { effects.append(.floodChanged(network)) }
      if status.standing.problem != nil { effects.append(.networkChanged(network)) }
    }
    for key in claimed where local.knows(key) {
      local.remoteChanged(key, isWithdrawal: false, index: index, now: now)
      drainLocal(now: now)
    }
  }

  /// Drops all of a host's statements. Its record stays known if it may come back.
  mutating func drop(_ owner: HostID, keepingRecord: Bool, now: Instant) {
    guard var ledger = ledgers[owner] else { return }
    if let latest = ledger.latest, ledger.floor.map({ ($0.boot, $0.version) < (latest.boot, latest.version) }) ?? true {
      ledger.floor = Floor(host: owner, boot: latest.boot, version: latest.version)
      effects.append(.floorsChanged)
    }
    let keys = (ledger.current?.statements ?? [:]).keys.sorted(by: StatementKey.precedes)
    ledger.current = nil
    ledger.incoming = nil
    if !keepingRecord {
      ledger.record = nil
      ledger.recordBoot = nil
      ledger.recordVersion = 0
    }
    ledgers[owner] = ledger
    for key in keys { put(key, nil, of: owner, now: now) }
  }
}

extension StatementKey {
  /// An order for effects: what networks stand before what is claimed in them.
  static func precedes(_ left: StatementKey, _ right: StatementKey) -> Bool {
    left.bytes.lexicographicallyPrecedes(right.bytes)
  }
}
