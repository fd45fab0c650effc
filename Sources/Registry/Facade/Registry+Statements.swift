import Wire

// What this host says, and the effects of what anybody says.
extension Registry {
  // MARK: Start and persistence

  /// This host's last statements of an earlier boot, from disk (`ownStatements`). Peers' copies come by sync.
  package mutating func seed(ownStatements bytes: [UInt8]) -> [Effect] {
    guard !bytes.isEmpty, !local.isSynced else { return [] }
    do throws(WireError) {
      let batch = try Batch(bytes: bytes)
      guard batch.header.owner == host, batch.header.boot < boot else { return [] }
      try takeSeed(batch)
    } catch {
      reject(host, .malformed("own statements: \(error)"))
    }
    return takeEffects()
  }

  /// The later boot counts; in one boot the later versions.
  mutating func takeSeed(_ batch: Batch) throws(WireError) {
    try Self.validate(batch)
    if let known = previousOwn, known.boot > batch.header.boot { return }
    if previousOwn?.boot != batch.header.boot { previousOwn = BootLedger(boot: batch.header.boot) }
    _ = previousOwn?.apply(batch)
  }

  /// The first sync is over (or nobody can be reached): levels found so far become claims, as the pool knew them.
  package mutating func synced(now: Instant) -> [Effect] {
    for (key, statement) in previousOwn?.statements ?? [:] {
      guard case .claim(let network, let mac) = key, let claim = try? Claim(bytes: statement.value) else { continue }
      local.seeds[BindingKey(network: network, mac: mac)] = claim
    }
    previousOwn = nil
    local.synced(index: index, now: now)
    drainLocal(now: now)
    return takeEffects()
  }

  /// All that this boot has to say for a start has been said (claims by `synced`, each network's status, the host
  /// record): others replace the earlier boot's statements by these.
  package mutating func markComplete(now: Instant) -> [Effect] {
    own.set(.complete, [])
    return takeEffects()
  }

  /// What `seed` takes after a restart; changes with `ownVersion`.
  package var ownStatements: [UInt8] { own.unsignedSnapshot }

  package var ownVersion: Version { own.version }

  // MARK: This host's statements

  package mutating func setHostRecord(_ record: HostRecord, now: Instant) -> [Effect] {
    own.set(.host, record.bytes)
    effects.append(.hostChanged(host))
    return takeEffects()
  }

  /// The signed batch that a hello carries; nil before the first `flush` after `setHostRecord`.
  package var hostRecordBatch: [UInt8]? { own.hostBatch?.bytes }

  package mutating func setNetworkStatus(_ network: NetworkID, _ standing: NetworkStanding, now: Instant) -> [Effect] {
    standings[network] = standing
    sayStatus(network, now: now)
    return takeEffects()
  }

  package mutating func removeNetworkStatus(_ network: NetworkID, now: Instant) -> [Effect] {
    guard standings.removeValue(forKey: network) != nil else { return [] }
    setStatus(nil, of: host, network: network)
    sayGone(.network(network), NetworkStatus.goneBytes, now: now)
    return takeEffects()
  }

  private mutating func sayStatus(_ network: NetworkID, now: Instant) {
    guard let standing = standings[network] else { return }
    let status = NetworkStatus(standing: standing, hasVIF: local.hasVIF(in: network))
    own.set(.network(network), status.bytes)
    setStatus(status, of: host, network: network)
  }

  private mutating func sayGone(_ key: StatementKey, _ value: [UInt8], now: Instant) {
    own.set(key, value)
    fading.append(
      FadingStatements.Entry(since: now, host: host, boot: boot, key: key, version: own.version))
  }

  // MARK: VIFs here

  /// A VIF is in the network's bridge, or more became known of it. `mac` and `vm` are what the hypervisor says.
  package mutating func attach(
    vif: String, network: NetworkID, isNetback: Bool, mac: MACAddress?, vm: String?, now: Instant
  ) -> [Effect] {
    local.attach(vif: vif, network: network, isNetback: isNetback, mac: mac, vm: vm, index: index, now: now)
    drainLocal(now: now)
    return takeEffects()
  }

  /// The port's carrier. `isChange` is false for a level found at start or by a dump.
  package mutating func carrier(vif: String, isUp: Bool, isChange: Bool, now: Instant) -> [Effect] {
    local.carrier(vif: vif, isUp: isUp, isChange: isChange, index: index, now: now)
    drainLocal(now: now)
    return takeEffects()
  }

  /// A frame from `mac` came in through the VIF; `ips` are the addresses it announced, if it was ARP or ND.
  package mutating func frame(vif: String, mac: MACAddress, ips: [IPAddress], now: Instant) -> [Effect] {
    local.frame(vif: vif, mac: mac, ips: ips, index: index, now: now)
    drainLocal(now: now)
    return takeEffects()
  }

  /// The VIF left the bridge.
  package mutating func detach(vif: String, now: Instant) -> [Effect] {
    local.detach(vif: vif, index: index, now: now)
    drainLocal(now: now)
    return takeEffects()
  }

  // MARK: Effects of statements

  /// Tells on what the local claims decided. A claim said here can change nothing else here, so once is enough.
  mutating func drainLocal(now: Instant) {
    let outcomes = local.outcomes
    local.outcomes = []
    for outcome in outcomes {
      switch outcome {
      case .claim(let key, let claim):
        if let claim {
          own.set(.claim(key.network, key.mac), claim.bytes)
        } else {
          own.purge(.claim(key.network, key.mac))
        }
        putClaim(claim, of: host, at: key)
      case .port(let key, let port): effects.append(.localMAC(key.network, key.mac, vif: port))
      case .occupancy(let network): sayStatus(network, now: now)
      case .event(let event): effects.append(.event(event))
      }
    }
  }

  /// Puts a claim into the index and tells if the MAC's owner is another, or another way, thereafter.
  private mutating func putClaim(_ claim: Claim?, of someone: HostID, at key: BindingKey) {
    let old = index.owner(at: key)
    index.set(claim, of: someone, at: key)
    let new = index.owner(at: key)
    if old != new { effects.append(.bindingChanged(key.network, key.mac, old: old, new: new)) }
  }

  /// A remote host's claim in force.
  mutating func setClaim(_ claim: Claim?, of remote: HostID, at key: BindingKey, now: Instant) {
    let before = index.claim(of: remote, at: key)
    guard before != claim else { return }
    putClaim(claim, of: remote, at: key)
    guard local.knows(key) else { return }
    let isWithdrawal = before.map { $0.state != .withdrawn } ?? false && (claim.map { $0.state == .withdrawn } ?? true)
    local.remoteChanged(key, isWithdrawal: isWithdrawal, index: index, now: now)
    drainLocal(now: now)
  }

  mutating func setStatus(_ status: NetworkStatus?, of someone: HostID, network: NetworkID) {
    let old = statuses.status(of: someone, network: network)
    guard old != status else { return }
    let tookFlood = old?.takesFlood ?? false
    statuses.set(status, of: someone, network: network)
    if someone != host, tookFlood != (status?.takesFlood ?? false), !index.hidden.contains(someone) {
      effects.append(.floodChanged(network))
    }
    if old?.standing != status?.standing { effects.append(.networkChanged(network)) }
  }

  mutating func reject(_ from: HostID, _ reason: Rejection.Reason) {
    effects.append(.rejected(Rejection(from: from, reason: reason)))
  }

  /// Whether the values of all known kinds can be read.
  static func validate(_ batch: Batch) throws(WireError) {
    for statement in batch.statements {
      switch statement.key {
      case .host: _ = try HostRecord(bytes: statement.value)
      case .network: _ = try NetworkStatus.read(statement.value)
      case .claim(_, let mac):
        guard mac.isStation else { throw .invalid("MAC address") }
        _ = try Claim(bytes: statement.value)
      case .complete, .unknown: break
      }
    }
  }
}
