import Wire

/// Claiming, giving up, answering, taking back and damping: the rules of mobility in `Docs/protocol.md`, after RFC 7432
/// sections 7.7 and 15.1.
extension LocalClaims {
  /// Two returns of a MAC within this time are a duplicate.
  private static let duplicateWindow: Duration = .seconds(30)

  /// The guest runs behind VIF `name`: its carrier rose, or a frame came in.
  mutating func becomeLive(_ key: BindingKey, at name: String, isFrame: Bool, index: BindingIndex, now: Instant) {
    guard var local = macs[key] else { return }
    guard isSynced else {
      macs[key]?.evidence = name
      return
    }
    if local.state == .live {
      moveWithinHost(key, to: name, isFrame: isFrame, now: now)
      return
    }
    if local.state == .damped { return }
    let isBacked = vifs[name]?.declaredMAC == key.mac
    let rival = index.best(at: key, excluding: host).flatMap { $0.isVisible ? $0 : nil }
    if let rival, isFrame, local.hasGivenUp || (rival.isBackedByXen && !isBacked) {
      // One return may be a guest that came back; a second one so soon is two guests that transmit with one MAC.
      local.reclaims.removeAll { now - $0 > Self.duplicateWindow }
      local.reclaims.append(now)
      if local.reclaims.count > 1 {
        if local.contestedUntil == nil {
          outcomes.append(.event(.duplicate(key.network, key.mac, vif: name, other: rival.host)))
        }
        local.contestedUntil = now + configuration.dampingWindow
      }
    }
    macs[key] = local
    if let rival, rival.isBackedByXen, !isBacked {
      tell(key, now: now)
      return
    }
    claim(key, at: name, isBacked: isBacked, index: index, now: now)
    if macs[key]?.state == .live { macs[key]?.hasAnswered = false }
  }

  /// Claims 1 + the highest sequence known, or states `damped` if the MAC moves too often.
  private mutating func claim(_ key: BindingKey, at name: String?, isBacked: Bool, index: BindingIndex, now: Instant) {
    guard var local = macs[key] else { return }
    let highest = max(index.highest(at: key), local.sequence)
    local.moves.removeAll { now - $0.at > configuration.dampingWindow }
    let start = local.moves.first?.sequence ?? highest
    let rival = index.best(at: key, excluding: host)
    let isImmune = isBacked && rival.map { !$0.isBackedByXen } ?? true
    let isTooMany = highest.value - min(start.value, highest.value) >= configuration.dampingMoves
    guard let next = highest.next, !isTooMany || isImmune else {
      local.state = .damped
      local.dampedSince = now
      local.port = nil
      macs[key] = local
      outcomes.append(.event(.damped(key.network, key.mac)))
      tell(key, now: now)
      return
    }
    local.moves.append((now, highest))
    let isTakenBack = local.hasGivenUp
    local.state = .live
    local.sequence = next
    local.port = name
    local.becameLive = now
    local.hasGivenUp = false
    local.dampedSince = nil
    macs[key] = local
    outcomes.append(
      .event(
        isTakenBack
          ? .tookBack(key.network, key.mac, next) : .claimed(key.network, key.mac, next, vif: name ?? "")))
    tell(key, now: now)
  }

  /// The MAC stays on this host: no sequence is needed, but the port changes.
  private mutating func moveWithinHost(_ key: BindingKey, to name: String, isFrame: Bool, now: Instant) {
    guard var local = macs[key], local.port != name else { return }
    defer {
      macs[key] = local
      tell(key, now: now)
    }
    guard let port = local.port else {
      local.port = name
      return
    }
    let isOtherConnected = vifs[port]?.isConnected == true
    let isOtherBacked = vifs[port]?.declaredMAC == key.mac && isOtherConnected
    local.localMoves.removeAll { now - $0 > configuration.dampingWindow }
    let isRestless = local.localMoves.count >= Int(clamping: configuration.dampingMoves)
    let hasOtherSpoken = ((local.vifs[port] ?? nil).map { now - $0 < configuration.silence } ?? false)
    if isFrame, isOtherConnected, isOtherBacked && vifs[name]?.declaredMAC != key.mac || isRestless {
      noteLocalDuplicate(key, name, &local, now: now)
      return
    }
    if isFrame, isOtherConnected, hasOtherSpoken, !local.localMoves.isEmpty {
      noteLocalDuplicate(key, name, &local, now: now)
    }
    local.localMoves.append(now)
    local.port = name
  }

  private mutating func noteLocalDuplicate(_ key: BindingKey, _ name: String, _ local: inout LocalMAC, now: Instant) {
    if local.contestedUntil == nil {
      outcomes.append(.event(.duplicate(key.network, key.mac, vif: name, other: host)))
    }
    local.contestedUntil = now + configuration.dampingWindow
    local.localRival = name
  }

  /// What another host says of a MAC that is known here changed, or that host came or went.
  mutating func remoteChanged(_ key: BindingKey, isWithdrawal: Bool, index: BindingIndex, now: Instant) {
    guard isSynced, var local = macs[key] else { return }
    if isWithdrawal {
      // Whoever withdraws was no duplicate: moves are counted anew.
      local.moves = []
      local.reclaims = []
      if local.localRival == nil { local.contestedUntil = nil }
      macs[key] = local
      if local.state == .damped { release(key) }
    }
    switch macs[key]?.state {
    case .live: defend(key, index: index, now: now)
    case .present: takeBack(key, index: index, now: now)
    case .damped, .withdrawn, nil: break
    }
    tell(key, now: now)
  }

  /// Gives the claim up if a better one knew of it, and answers one that did not, once.
  private mutating func defend(_ key: BindingKey, index: BindingIndex, now: Instant) {
    guard var local = macs[key], let best = index.best(at: key, excluding: host) else { return }
    let isBacked = isBackedByXen(key, local)
    guard best.beats(local.contender(host, isBackedByXen: isBacked)) else { return }
    let next = local.sequence.next
    // Whoever knew of our claim has a higher sequence. One more than ours was made above ours. Much more than ours may
    // have been made while ours was on its way, but only if ours is fresh.
    let isTie = best.sequence == local.sequence
    let isFresh = local.becameLive.map { now - $0 < configuration.concurrencyWindow } ?? false
    let isUnaware = isTie || (isFresh && next.map { best.sequence > $0 } ?? false)
    if isUnaware, !local.hasAnswered, !best.isBackedByXen || isBacked {
      let port = local.port
      claim(key, at: port, isBacked: isBacked, index: index, now: now)
      macs[key]?.hasAnswered = true
      return
    }
    local.state = .present
    local.port = nil
    local.hasGivenUp = true
    local.becameLive = nil
    macs[key] = local
    outcomes.append(.event(.gaveUp(key.network, key.mac, to: best.host)))
  }

  /// Takes back a claim that was given up if it would win again: the winner withdrew, died or left.
  private mutating func takeBack(_ key: BindingKey, index: BindingIndex, now: Instant) {
    guard let local = macs[key], local.state == .present, local.hasGivenUp else { return }
    let connected = local.sortedVIFs.filter { vifs[$0]?.isConnected == true }
    guard
      let port = connected.max(by: { left, right in
        ((local.vifs[left] ?? nil)?.nanoseconds ?? 0) < ((local.vifs[right] ?? nil)?.nanoseconds ?? 0)
      })
    else { return }
    let isBacked = vifs[port]?.declaredMAC == key.mac
    if let best = index.best(at: key, excluding: host),
      !local.contender(host, isBackedByXen: isBacked).beats(best)
    {
      return
    }
    claim(key, at: port, isBacked: isBacked, index: index, now: now)
    macs[key]?.hasAnswered = false
  }

  private mutating func release(_ key: BindingKey) {
    macs[key]?.state = .present
    macs[key]?.dampedSince = nil
    macs[key]?.moves = []
    macs[key]?.hasGivenUp = true
  }

  // MARK: Start and time

  /// The pool's state is known: restates what this host had, and claims what was seen since.
  mutating func synced(index: BindingIndex, now: Instant) {
    guard !isSynced else { return }
    isSynced = true
    for (key, seed) in seeds.sorted(by: { $0.key < $1.key }) { restate(key, seed, index: index, now: now) }
    seeds = [:]
    for key in macs.keys.sorted() {
      if let name = macs[key]?.evidence, macs[key]?.state != .live {
        becomeLive(key, at: name, isFrame: false, index: index, now: now)
      }
      macs[key]?.evidence = nil
      tell(key, now: now)
    }
  }

  /// A claim of the earlier boot keeps its sequence: that this host runs again is no move of the guest.
  private mutating func restate(_ key: BindingKey, _ seed: Claim, index: BindingIndex, now: Instant) {
    if seed.state != .withdrawn, vifs[seed.vif]?.network == key.network,
      vifs[seed.vif]?.declaredMAC == nil || seed.isBackedByXen == false
    {
      associate(key.mac, with: seed.vif, key.network)
    }
    guard var local = macs[key], !local.vifs.isEmpty else {
      if seed.sequence.value > 0 {
        macs[key] = LocalMAC(state: .withdrawn, sequence: seed.sequence, withdrawnSince: now)
      }
      return
    }
    local.sequence = max(seed.sequence, local.sequence)
    let connected = local.sortedVIFs.filter { vifs[$0]?.isConnected == true }
    let port = connected.contains(seed.vif) ? seed.vif : connected.first
    if seed.contends, let port {
      let isBacked = vifs[port]?.declaredMAC == key.mac
      let best = index.best(at: key, excluding: host)
      if best.map({ local.contender(host, isBackedByXen: isBacked).beats($0) }) ?? true {
        local.state = .live
        local.port = port
        local.ips = seed.ips.prefix(configuration.ipsPerMAC).map { ($0, now) }
      } else {
        local.hasGivenUp = true
      }
    }
    macs[key] = local
  }

  /// Silence, damping and contests that are over, and withdrawals that need no telling any more.
  mutating func advance(to now: Instant, index: BindingIndex) {
    for key in macs.keys.sorted() {
      guard let local = macs[key] else { continue }
      if let since = local.withdrawnSince, now - since >= configuration.withdrawnRetention {
        macs[key] = nil
        outcomes.append(.claim(key, nil))
        continue
      }
      if let until = local.contestedUntil, until <= now {
        macs[key]?.contestedUntil = nil
        macs[key]?.localMoves = []
        macs[key]?.localRival = nil
        tell(key, now: now)
      }
      if let since = local.dampedSince, now - since >= configuration.dampingRelease {
        release(key)
        takeBack(key, index: index, now: now)
        tell(key, now: now)
      }
      expireSilent(key, now: now)
    }
  }

  /// A MAC learned from frames goes when it was silent for long, if its VIF has another.
  private mutating func expireSilent(_ key: BindingKey, now: Instant) {
    for name in macs[key]?.sortedVIFs ?? [] {
      guard let vif = vifs[name], vif.declaredMAC != key.mac, vif.macs.count > 1,
        let seen = macs[key]?.vifs[name] ?? nil, now - seen >= configuration.silence
      else { continue }
      dissociate(key, from: name, now: now)
    }
  }
}
