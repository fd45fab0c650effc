import Membership
import Registry
import Security
import Wire

// From the state on disk to a member that has told the pool all it has.
extension Node {
  /// Begins: what stands in the kernel is looked at, not changed more than needed; other hosts are greeted; the first
  /// sync is asked for. Until it is over nothing is claimed and nothing is taken out of the kernel.
  func start(_ papers: Papers, now: Instant) {
    perform(
      registry.load(poolRecords: papers.poolRecords, floors: papers.floors, verify: verify), now: now)
    applyRevocations(now)
    perform(registry.seed(ownStatements: papers.ownStatements), now: now)
    perform(registry.setHostRecord(hostRecord, now: now), now: now)
    let lastBoots = Dictionary(papers.peers.map { ($0.host, $0.boot) }, uniquingKeysWith: { first, _ in first })
    for view in registry.hosts where view.id != identity.hostID && view.standing == .member {
      perform(
        membership.add(view.id, lastBoot: view.boot ?? lastBoots[view.id] ?? nil, now: now), now: now)
    }
    perform(membership.start(now: now), now: now)
    watchSocket()
    watchKernel()
    watchXen()
    around.kernel.enter(pool: trust.pool.description)
    reconcileAll(now)
    endTurn(now)
    let known = registry.hosts.map(\.id).filter { $0 != identity.hostID }.compactMap { endpoint(of: $0) }
    for target in known + papers.seeds where target != around.socket.local {
      sendHello(to: target, wantsReply: true, now: now)
    }
    around.reactor.schedule(at: startedAt + Self.firstSyncPatience) { [weak self] in
      guard let self else { return }
      trySync(Reactor.now())
      endTurn(Reactor.now())
    }
    trySync(now)
    endTurn(now)
  }

  /// How long this host waits to hear where any of the others is before it goes on alone.
  private static let firstSyncPatience: Duration = .seconds(3)

  var hostRecord: HostRecord {
    HostRecord(
      name: around.name, vteps: [around.kernel.underlay.address], gossipPort: around.port,
      underlayMTU: UInt32(clamping: around.kernel.underlay.mtu), capabilities: abilities,
      staticKey: sealer.publicKeys.staticKey, ephemeralKey: sealer.publicKeys.ephemeralKey, release: Agent.release)
  }

  var verify: Verify {
    { [keyring] author, certificate, message, signature in
      keyring.verify(author, certificate: certificate, message: message, signature: signature)
    }
  }

  private func watchSocket() {
    do {
      try around.reactor.watch(around.socket.fileDescriptor, for: .read) { [weak self] in self?.gossipReadable() }
    } catch {
      around.log.critical("\(error)")
    }
  }

  // MARK: First sync

  /// Asks one host after the other; when all were asked in vain, or nobody is known after a while, goes on alone.
  func trySync(_ now: Instant) {
    guard !isSynced, syncing == nil else { return }
    let others = registry.hosts.map(\.id).filter { $0 != identity.hostID && !isGone($0) && !syncTried.contains($0) }
    if let host = others.first(where: { endpoint(of: $0) != nil }), let endpoint = endpoint(of: host) {
      syncing = host
      syncTried.insert(host)
      return around.send(.sync(host, at: endpoint))
    }
    if others.isEmpty || now >= startedAt + Self.firstSyncPatience { becomeSynced(now) }
  }

  /// The next request of a sync; nil at its end.
  func syncRequest(to host: HostID) -> [UInt8] { registry.syncRequest(to: host) }

  func syncAnswered(_ response: [UInt8], by host: HostID) -> [UInt8]? {
    let now = Reactor.now()
    let (next, effects) = registry.syncFinish(
      response, from: host, now: now, sign: identity.sign, verify: verify)
    perform(effects, now: now)
    refusal = nil
    if next == nil {
      syncing = nil
      becomeSynced(now)
    }
    endTurn(now)
    return next
  }

  /// - Parameter isRefusal: the other host turned this one away, and `reason` is what it said.
  func syncFailed(_ host: HostID, _ reason: String, isRefusal: Bool) {
    let now = Reactor.now()
    if isRefusal, refusal != reason {
      refusal = reason
      around.tell(Event(kind: "refusedByHost", message: reason, host: name(of: host)))
    }
    around.log.info("sync with \(name(of: host)) failed: \(reason)")
    if syncing == host { syncing = nil }
    trySync(now)
    endTurn(now)
  }

  func syncRequested(_ request: [UInt8], by host: HostID) -> [UInt8] {
    let now = Reactor.now()
    let (response, effects) = registry.syncRespond(
      request, from: host, now: now, sign: identity.sign, verify: verify)
    perform(effects, now: now)
    endTurn(now)
    return response
  }

  private func becomeSynced(_ now: Instant) {
    guard !isSynced else { return }
    isSynced = true
    perform(registry.synced(now: now), now: now)
    // Each network's status belongs to the first full set.
    for network in registry.networks { staleNetworks.insert(network.id) }
    setRight(now)
    perform(registry.markComplete(now: now), now: now)
    around.tell(Event(kind: "agentReady", message: "This host has told the pool all it has."))
    around.log.info("ready", metadata: ["pool": "\(trust.poolName)", "boot": "\(boot)"])
  }

  func probed(_ host: HostID, sequence: UInt32, _ outcome: Membership.TCPProbeOutcome) {
    let now = Reactor.now()
    perform(membership.tcpProbe(of: host, sequence: sequence, outcome: outcome, now: now), now: now)
    endTurn(now)
  }
}
