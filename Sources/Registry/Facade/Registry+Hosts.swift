import Wire

// Other hosts: how they are, and what they send.
extension Registry {
  /// What membership says of a host. nil: not judged yet, which counts as visible but not as reachable.
  package mutating func hostState(_ other: HostID, _ state: MemberState?, boot otherBoot: Boot?, now: Instant)
    -> [Effect]
  {
    guard other != host, !pool.isGone(other) else { return [] }
    var ledger = ledgers.removeValue(forKey: other) ?? HostLedger()
    let wasReachable = replication.peers[other] != nil
    ledger.memberState = state
    ledger.memberBoot = otherBoot ?? ledger.memberBoot
    let isGone = state == .dead || state == .left
    if !isGone { ledger.deadSince = nil } else if ledger.deadSince == nil { ledger.deadSince = now }
    // Back in the boot whose claims stand here: they count again. Back in a later one: not before it restated them.
    let isRestated = otherBoot == nil || ledger.current.map { $0.boot >= otherBoot ?? $0.boot } ?? true
    let shouldHide = isGone || (ledger.isHidden && !isRestated)
    ledgers[other] = ledger
    switch state {
    case .alive, .suspect:
      let isNewBoot = replication.peers[other]?.boot != otherBoot
      replication.peerCame(other, boot: otherBoot, now: now)
      if !wasReachable || isNewBoot { effects.append(.advertise(to: other)) }
    case .agentDown, .dead, .left, nil: replication.peerWent(other)
    }
    setHidden(shouldHide, other, now: now)
    return takeEffects()
  }

  /// Takes up a hello's host record batch.
  ///
  /// - Throws: `Rejection` if it is not a batch with nothing but the record of `other`, signed by it.
  package mutating func hello(hostRecordBatch bytes: [UInt8], from other: HostID, now: Instant, verify: Verify)
    throws(Rejection) -> [Effect]
  {
    let signed: SignedHostRecord
    do throws(WireError) { signed = try SignedHostRecord(bytes: bytes) } catch {
      throw Rejection(from: other, reason: .malformed("host record: \(error)"))
    }
    guard signed.owner == other, verify(other, certificate(of: other), signed.message, signed.signature) else {
      throw Rejection(from: other, reason: .badSignature(other))
    }
    guard !pool.isGone(other) else { throw Rejection(from: other, reason: .notAMember(other)) }
    take(batch: bytes, from: other, isAuthentic: true, now: now, verify: verify)
    return takeEffects()
  }

  /// Frames of an opened packet: advert, have, want, batch, record, recordsSeen; others are passed over.
  package mutating func receive(_ frame: GossipFrame, from other: HostID, now: Instant, verify: Verify) -> [Effect] {
    guard other != host else { return [] }
    switch frame {
    case .advert(let boot, let version, _, let poolHash):
      take(advertOf: other, boot: boot, version: version, poolHash: poolHash, now: now)
    case .have(let holding): take(holding, from: other)
    case .want(let owner, let boot, let after):
      note(Replication.Want(owner: owner, boot: boot, after: after), from: other)
    case .batch(let bytes): take(pushed: bytes, from: other, now: now, verify: verify)
    case .record(let bytes): take(record: bytes, from: other, now: now, verify: verify)
    case .recordsSeen(let digests):
      replication.confirm(other, records: digests.map { RecordDigest($0) }, latest: own.version)
    case .ping, .ack, .pingRequest, .nack, .rumour, .standing, .sending: break
    }
    return takeEffects()
  }

  /// For the shell's pings and acks.
  package func advert(incarnation: Incarnation) -> GossipFrame {
    .advert(boot: boot, version: own.version, incarnation: incarnation, poolHash: pool.hash)
  }

  private mutating func take(pushed bytes: [UInt8], from other: HostID, now: Instant, verify: Verify) {
    guard let header = try? Batch.Header(bytes: bytes) else {
      reject(other, .malformed("batch"))
      return
    }
    let isDirect = header.owner == other
    let isNews = take(batch: bytes, from: other, isAuthentic: isDirect, now: now, verify: verify)
    if isDirect, let holding = ledgers[other]?.holding(of: other) { replication.answer(other, have: holding) }
    if isNews, replication.isEpidemic {
      let targets = replication.targets(except: [other, header.owner], using: &generator)
      for target in targets { replication.send(.batch(bytes), to: target) }
    }
  }

  private mutating func take(_ holding: Holding, from other: HostID) {
    guard holding.owner == host else { return }
    noteOwn(holding.boot, holding.version)
    guard holding.boot == boot, holding.version <= own.version else { return }
    replication.confirm(other, version: holding.version, latest: own.version)
  }

  /// Somebody speaks of this host in a boot, or in a version, that is still to come. One that is too far ahead to be
  /// true is passed over.
  mutating func noteOwn(_ seen: Boot, _ version: Version) {
    guard seen.counter <= boot.counter || seen.counter - boot.counter <= Self.leap else { return }
    if seen > boot || (seen == boot && version > own.version) { effects.append(.ownBootSeen(seen)) }
  }

  private mutating func note(_ want: Replication.Want, from other: HostID) {
    if want.owner == host {
      noteOwn(want.boot, want.after)
      if want.boot == boot, want.after <= own.version {
        replication.update(other) { $0.confirmed = want.after }
      }
    }
    replication.note(want, from: other)
  }

  private mutating func take(
    advertOf other: HostID, boot theirBoot: Boot, version: Version, poolHash: UInt64, now: Instant
  ) {
    guard !pool.isGone(other) else { return }
    let held = ledgers[other]?.latest
    if held.map({ $0.boot < theirBoot }) ?? true {
      if version > 0 { replication.ask(other, Replication.Want(owner: other, boot: theirBoot, after: 0), now: now) }
    } else if let held, held.boot == theirBoot, held.version < version {
      replication.ask(other, Replication.Want(owner: other, boot: theirBoot, after: held.version), now: now)
    }
    guard let peer = replication.peers[other] else { return }
    let isFirst = peer.poolHash == nil
    let differs = poolHash != pool.hash
    let patience = configuration.poolHashPatience
    replication.update(other) { peer in
      peer.poolHash = poolHash
      if !differs {
        peer.hashCheck = nil
        peer.records = []
      } else if peer.hashCheck == nil {
        peer.hashCheck = now + patience
      }
    }
    if differs, isFirst { askSync(with: other, now: now) }
  }

  /// At most one sync a second with one host.
  mutating func askSync(with other: HostID, now: Instant) {
    guard let peer = replication.peers[other] else { return }
    if let last = peer.lastSync, now - last < .seconds(1) { return }
    replication.update(other) { $0.lastSync = now }
    effects.append(.sync(with: other))
  }
}
