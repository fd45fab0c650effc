import Wire

// Sync over TCP: a digest, deliveries both ways, never the whole state. Any holder serves any owner's statements.
extension Registry {
  /// The first request of a sync with `other`.
  package func syncRequest(to other: HostID) -> [UInt8] {
    var digest = SyncDigest()
    digest.holdings = holdings(for: other)
    digest.poolHash = pool.hash
    if replication.peers[other]?.poolHash != pool.hash { digest.records = pool.digests }
    return SyncMessage.digest(digest).bytes
  }

  /// Answers a request of `syncRequest` or `syncFinish`.
  package mutating func syncRespond(_ request: [UInt8], from other: HostID, now: Instant, sign: Sign, verify: Verify)
    -> (response: [UInt8], effects: [Effect])
  {
    var delivery = SyncDelivery()
    switch readSync(request, from: other) {
    case .digest(let digest): delivery = answer(digest, from: other, sign: sign)
    case .delivery(let received):
      take(received, from: other, now: now, verify: verify)
      add(records: received.wantedRecords, to: &delivery)
    case nil: break
    }
    return (SyncMessage.delivery(delivery).bytes, takeEffects())
  }

  /// Takes up an answer; `next` is a further request for the same connection, nil when the sync is over.
  package mutating func syncFinish(_ response: [UInt8], from other: HostID, now: Instant, sign: Sign, verify: Verify)
    -> (next: [UInt8]?, effects: [Effect])
  {
    guard case .delivery(let received) = readSync(response, from: other) else { return (nil, takeEffects()) }
    let (hash, version) = (pool.hash, heldVersions)
    take(received, from: other, now: now, verify: verify)
    var delivery = SyncDelivery()
    add(batches: received.wanted, for: other, to: &delivery, sign: sign)
    add(records: received.wantedRecords, to: &delivery)
    if let theirs = received.allRecords {
      let known = Set(theirs)
      add(records: pool.digests.filter { !known.contains($0) }, to: &delivery)
      delivery.wantedRecords = theirs.filter { !pool.holds($0) }
    }
    if !delivery.isEmpty { return (SyncMessage.delivery(delivery).bytes, takeEffects()) }
    // More is asked for only as long as each answer brings something, so that a sync ends.
    let isNews = hash != pool.hash || version != heldVersions
    return (received.hasMore && isNews ? syncRequest(to: other) : nil, takeEffects())
  }

  private mutating func readSync(_ bytes: [UInt8], from other: HostID) -> SyncMessage? {
    guard !pool.isGone(other) else {
      reject(other, .notAMember(other))
      return nil
    }
    do throws(WireError) { return try SyncMessage(bytes: bytes) } catch {
      reject(other, .malformed("sync: \(error)"))
      return nil
    }
  }

  private var heldVersions: UInt64 {
    ledgers.values.reduce(0) { $0 &+ ($1.latest?.version ?? 0) } &+ (previousOwn?.version ?? 0)
  }

  /// What is held of each owner. Before the first full set this host asks for what others hold of its earlier boot.
  private func holdings(for other: HostID) -> [Holding] {
    let oldest = Boot(counter: 0, nonce: 0)
    let ownHolding =
      local.isSynced
      ? Holding(owner: host, boot: boot, version: own.version)
      : Holding(owner: host, boot: previousOwn?.boot ?? oldest, version: previousOwn?.version ?? 0)
    var result = [ownHolding]
    for (owner, ledger) in ledgers.sorted(by: { $0.key < $1.key }) {
      guard !pool.isGone(owner), var holding = ledger.holding(of: owner) else { continue }
      if owner == other, ledger.latest?.wantsCompaction == true { holding.version = 0 }
      result.append(holding)
    }
    return result
  }

  private mutating func answer(_ digest: SyncDigest, from other: HostID, sign: Sign) -> SyncDelivery {
    var delivery = SyncDelivery()
    let theirs = Dictionary(digest.holdings.map { ($0.owner, $0) }, uniquingKeysWith: { first, _ in first })
    if let holding = theirs[host] { noteOwn(holding.boot, holding.version) }
    let oldest = Boot(counter: 0, nonce: 0)
    let owners = Set(ledgers.keys).union(theirs.keys).union([host]).filter { !pool.isGone($0) }.sorted()
    var behind: [Holding] = []
    for owner in owners {
      let their = theirs[owner] ?? Holding(owner: owner, boot: oldest, version: 0)
      if owner == host {
        behind.append(their)
        continue
      }
      let mine =
        ledgers[owner]?.holding(of: owner) ?? Holding(owner: owner, boot: oldest, version: 0)
      if (their.boot, their.version) > (mine.boot, mine.version) {
        delivery.wanted.append(
          Holding(owner: owner, boot: their.boot, version: their.boot == mine.boot ? mine.version : 0))
      } else if (their.boot, their.version) < (mine.boot, mine.version) {
        behind.append(their)
      } else if owner == other, ledgers[owner]?.latest?.wantsCompaction == true {
        delivery.wanted.append(Holding(owner: owner, boot: their.boot, version: 0))
      }
    }
    add(batches: behind, for: other, to: &delivery, sign: sign)
    if digest.poolHash != pool.hash {
      if let records = digest.records {
        let known = Set(records)
        add(records: pool.digests.filter { !known.contains($0) }, to: &delivery)
        delivery.wantedRecords = records.filter { !pool.holds($0) }
      } else {
        delivery.allRecords = pool.digests
      }
    }
    return delivery
  }

  /// What a holder of `behind` lacks, as far as it is kept here and there is room.
  private func add(batches behind: [Holding], for other: HostID, to delivery: inout SyncDelivery, sign: Sign) {
    var size = delivery.size
    for their in behind {
      let batches: [Batch]
      if their.owner == host {
        guard their.boot <= boot else { continue }
        batches = own.batches(after: their.boot == boot ? their.version : 0, maximum: Batch.maximumSize, sign)
      } else {
        batches = kept(of: their)
      }
      for batch in batches {
        guard size + batch.bytes.count <= SyncMessage.deliverySize else {
          delivery.hasMore = true
          return
        }
        size += batch.bytes.count
        delivery.batches.append(batch.bytes)
      }
    }
  }

  /// Of an owner that is not done with its first set, the boot in force comes before the new one: the owner itself asks
  /// for it, and who knows neither needs both.
  private func kept(of their: Holding) -> [Batch] {
    guard let ledger = ledgers[their.owner] else { return [] }
    let boots = [ledger.current, ledger.incoming].compactMap { $0 }.filter { $0.boot >= their.boot }
    return boots.flatMap { $0.batches(after: $0.boot == their.boot ? their.version : 0) ?? [] }
  }

  private func add(records digests: [RecordDigest], to delivery: inout SyncDelivery) {
    var size = delivery.size
    for record in digests.compactMap({ pool.record($0) }).sorted(by: Self.readsBefore) {
      guard size + record.bytes.count <= SyncMessage.deliverySize else {
        delivery.hasMore = true
        return
      }
      size += record.bytes.count
      delivery.records.append(record.bytes)
    }
  }

  private mutating func take(_ delivery: SyncDelivery, from other: HostID, now: Instant, verify: Verify) {
    take(records: delivery.records, from: other, now: now, verify: verify)
    for bytes in delivery.batches {
      let isAuthentic = (try? Batch.Header(bytes: bytes))?.owner == other
      take(batch: bytes, from: other, isAuthentic: isAuthentic, now: now, verify: verify)
    }
  }
}
