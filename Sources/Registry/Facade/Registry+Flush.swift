import Wire

// The end of a turn, and the passing of time.
extension Registry {
  /// Once per turn, after its inputs: signs what changed, answers wants, repeats what was not confirmed.
  package mutating func flush(now: Instant, sign: Sign) -> [Effect] {
    if nextTick == nil { nextTick = now + Self.tick }
    if nextSync == nil {
      nextSync = now + configuration.syncInterval * Double.random(in: 0..<1, using: &generator)
    }
    let batches = own.sign(sign)
    own.noteHostBatch(in: batches)
    if !batches.isEmpty { push(batches, now: now) }
    for (from, want) in replication.takeWants() { answer(want, from: from, now: now, sign: sign) }
    repeatUnconfirmed(now: now, sign: sign)
    for (target, frames) in replication.takeFrames() { effects.append(.send(frames, to: target)) }
    return takeEffects()
  }

  private mutating func push(_ batches: [Batch], now: Instant) {
    let frames = batches.map { GossipFrame.batch($0.bytes) }
    for target in replication.targets(except: [], using: &generator) {
      // More than a few packets at once would be lost together: the repetition sends them by another way.
      if frames.count <= Replication.batchesPerSend {
        for frame in frames { replication.send(frame, to: target) }
      }
      replication.expectAnswer(from: target, now: now)
    }
  }

  private mutating func answer(_ want: Replication.Want, from other: HostID, now: Instant, sign: Sign) {
    let batches: [Batch]
    if want.owner == host {
      let after = want.boot == boot ? want.after : 0
      batches = own.batches(after: after, maximum: Batch.datagramSize, sign)
    } else {
      guard let latest = ledgers[want.owner]?.latest, latest.boot >= want.boot else { return }
      guard let held = latest.batches(after: latest.boot == want.boot ? want.after : 0) else { return }
      batches = held
    }
    let fits =
      batches.count <= Replication.batchesPerSend && batches.allSatisfy { $0.bytes.count <= Batch.datagramSize }
    guard fits else {
      askSync(with: other, now: now)
      return
    }
    for batch in batches { replication.send(.batch(batch.bytes), to: other) }
  }

  private mutating func repeatUnconfirmed(now: Instant, sign: Sign) {
    guard let deadline = replication.deadline, deadline <= now else { return }
    let due = replication.peers.filter { $0.value.nextRepeat.map { $0 <= now } ?? false }.keys.sorted()
    for target in due { repeatUnconfirmed(to: target, now: now, sign: sign) }
    replication.findDeadline()
  }

  private mutating func repeatUnconfirmed(to target: HostID, now: Instant, sign: Sign) {
    guard let peer = replication.peers[target] else { return }
    var isOutstanding = false
    if own.version > 0, peer.confirmed.map({ $0 < own.version }) ?? true {
      isOutstanding = true
      resend(to: target, confirmed: peer.confirmed, now: now, sign: sign)
    }
    var gone: Set<RecordDigest> = []
    var isLarge = false
    for digest in peer.records.sorted().prefix(Replication.recordsPerSend) {
      guard let record = pool.record(digest) else {
        gone.insert(digest)
        continue
      }
      isOutstanding = true
      if record.bytes.count <= PoolRecord.datagramSize {
        replication.send(.record(record.bytes), to: target)
      } else {
        isLarge = true
      }
    }
    if isLarge { effects.append(.advertise(to: target)) }
    let longest = configuration.longestRepeat
    replication.update(target) { peer in
      peer.records.subtract(gone)
      peer.nextRepeat = isOutstanding || !peer.records.isEmpty ? now + peer.interval : nil
      peer.interval = min(peer.interval * 2, longest)
    }
  }

  private mutating func resend(to target: HostID, confirmed: Version?, now: Instant, sign: Sign) {
    guard let confirmed else {
      // It has not told what it has: the last batch makes it say so.
      if let last = own.chain.last { replication.send(.batch(last.bytes), to: target) }
      return
    }
    let batches = own.batches(after: confirmed, maximum: Batch.datagramSize, sign)
    if batches.count <= Replication.batchesPerSend {
      for batch in batches { replication.send(.batch(batch.bytes), to: target) }
    } else {
      askSync(with: target, now: now)
    }
  }

  /// Whether every host that answers has confirmed all that this host wrote. In an epidemic only those count to which
  /// it was sent from here.
  package var isConfirmed: Bool {
    if replication.isEpidemic { return !own.hasWaiting && replication.peers.values.allSatisfy { $0.nextRepeat == nil } }
    return !own.hasWaiting
      && replication.peers.values.allSatisfy { $0.records.isEmpty && ($0.confirmed ?? 0) >= own.version }
  }

  // MARK: Time

  package var deadline: Instant? {
    [nextTick, nextSync, replication.deadline].compactMap { $0 }.min()
  }

  /// To be called when `deadline` has come; `flush` goes after it.
  package mutating func advance(to now: Instant) -> [Effect] {
    if let due = nextTick, due <= now {
      nextTick = now + Self.tick
      purgeDead(now: now)
      forgetFaded(now: now)
      local.advance(to: now, index: index)
      drainLocal(now: now)
    }
    if let due = nextSync, due <= now {
      nextSync = now + configuration.syncInterval * Double.random(in: 0.75..<1.25, using: &generator)
      if let target = replication.peers.keys.sorted().randomElement(using: &generator) {
        askSync(with: target, now: now)
      }
    }
    checkHashes(now: now)
    return takeEffects()
  }

  private mutating func purgeDead(now: Instant) {
    let due = ledgers.filter { entry in
      guard let since = entry.value.deadSince, entry.value.latest != nil else { return false }
      return now - since >= configuration.deadHostRetention
    }.keys.sorted()
    for other in due {
      drop(other, keepingRecord: true, now: now)
      effects.append(.event(.purged(other)))
    }
  }

  private mutating func forgetFaded(now: Instant) {
    for entry in fading.takeDue(now: now, retention: configuration.withdrawnRetention) {
      if entry.host == host {
        if own.value(of: entry.key) == NetworkStatus.goneBytes { own.purge(entry.key) }
        continue
      }
      guard var ledger = ledgers.removeValue(forKey: entry.host) else { continue }
      let isInForce = ledger.current?.boot == entry.boot
      var boot = isInForce ? ledger.current : ledger.incoming
      if isInForce { ledger.current = nil } else { ledger.incoming = nil }
      let isPurged = boot?.boot == entry.boot && boot?.purge(entry.key, version: entry.version) == true
      if isInForce { ledger.current = boot } else { ledger.incoming = boot }
      ledgers[entry.host] = ledger
      if isPurged, isInForce, case .claim(let network, let mac) = entry.key {
        setClaim(nil, of: entry.host, at: BindingKey(network: network, mac: mac), now: now)
      }
    }
  }

  /// A difference of pool records that lasted: one sync may settle it with all.
  private mutating func checkHashes(now: Instant) {
    guard let deadline = replication.deadline, deadline <= now else { return }
    let due = replication.peers.filter { $0.value.hashCheck.map { $0 <= now } ?? false }.keys.sorted()
    var hasAsked = false
    for other in due {
      let differs = replication.peers[other]?.poolHash.map { $0 != pool.hash } ?? false
      replication.update(other) { $0.hashCheck = nil }
      if differs, !hasAsked {
        askSync(with: other, now: now)
        hasAsked = true
      }
    }
  }
}
