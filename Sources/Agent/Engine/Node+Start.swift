import Membership
import Registry
import Trust
import Wire

// From the state on disk to a member that has told the pool all it has.
extension Node {
  /// Begins: what stands in the kernel is looked at, not changed more than needed; other hosts are greeted; the first
  /// sync is asked for. Until it is over nothing is claimed and nothing is taken out of the kernel.
  func start(_ papers: Papers, now: Instant) {
    perform(
      registry.load(poolRecords: papers.poolRecords, floors: papers.floors, verify: verify), now: now)
    // What was just read needs no writing.
    hasNewPoolRecords = false
    applyRevocations(now)
    admitItself(now)
    perform(registry.seed(ownStatements: papers.ownStatements), now: now)
    startKeys(now)
    perform(registry.setHostRecord(hostRecord, now: now), now: now)
    let lastBoots = Dictionary(papers.peers.map { ($0.host, $0.boot) }, uniquingKeysWith: { first, _ in first })
    for view in registry.hosts where view.id != identity.hostID && view.standing == .member {
      perform(
        membership.add(view.id, lastBoot: view.boot ?? lastBoots[view.id] ?? nil, now: now), now: now)
    }
    for host in trust.revoked.sorted() { forgetKeys(of: host, now: now) }
    perform(membership.start(now: now), now: now)
    // Devices are marked with the pool: nothing may be made before it is known.
    around.kernel.enter(pool: trust.pool.description)
    reconcileAll(now)
    watchSocket()
    watchKernel()
    watchXen()
    tellOfOtherFamily()
    greet(now)
    trySync(now)
    endTurn(now)
  }

  /// The first host of a pool, or one that a crash stopped in the middle of a join, is admitted by its own word: its
  /// certificate says that it may.
  private func admitItself(_ now: Instant) {
    guard registry.certificate(of: identity.hostID) == nil, !isGone(identity.hostID) else { return }
    do {
      perform(
        try registry.admit(identity.hostID, certificate: certificate, now: now, sign: identity.sign), now: now)
    } catch {
      around.log.error("\(error)")
    }
  }

  // MARK: Finding the others

  private static let greetingInterval: Duration = .seconds(1)
  /// How long this host waits for any of the others before it goes on alone.
  private static let firstSyncPatience: Duration = .seconds(4)
  private static let parallelSyncs = 3

  /// While no other host is heard, each of them is told again and again that this one is here.
  func greet(_ now: Instant) {
    nextGreeting = now + (isSynced ? Self.greetingInterval * 5 : Self.greetingInterval)
    let members = membership.members
    if !members.contains(where: { $0.state == .alive }) {
      let known = members.compactMap { endpoint(of: $0.host) }
      for target in Set(known + seeds) where target != around.socket.local {
        sendHello(to: target, wantsReply: true, now: now)
      }
    }
    trySync(now)
  }

  /// Asks some hosts at a time, those first that were heard in this run; the first answer counts. When all were asked in
  /// vain, or nobody is there after a while, this host goes on alone.
  func trySync(_ now: Instant) {
    guard !isSynced else { return }
    let others = registry.hosts.filter { view in
      view.id != identity.hostID && view.standing == .member && !trust.revoked.contains(view.id)
    }
    let untried = others.filter { !syncTried.contains($0.id) }.map(\.id)
    let heard = untried.filter { membership.state(of: $0) == .alive || registry.sealingKeys(of: $0) != nil }
    for host in heard + untried.filter({ !heard.contains($0) }) where syncing.count < Self.parallelSyncs {
      guard let endpoint = endpoint(of: host) else { continue }
      syncing.insert(host)
      syncTried.insert(host)
      around.send(.sync(host, at: endpoint))
    }
    let isAlone = others.isEmpty
    let isPatient = now < startedAt + Self.firstSyncPatience
    let isAnyAlive = membership.members.contains { $0.state == .alive }
    // A joiner has nothing to go on with until somebody has told it what the pool has.
    let mustHear = !seeds.isEmpty && lastAddresses.isEmpty
    if isAlone || (!isPatient && !isAnyAlive && !mustHear) || (syncing.isEmpty && untried.isEmpty && !isPatient) {
      becomeSynced(now)
    }
  }

  var hostRecord: HostRecord {
    HostRecord(
      name: around.name, vteps: [around.kernel.underlay.address], gossipPort: around.port,
      underlayMTU: UInt32(clamping: around.kernel.underlay.mtu), capabilities: abilities,
      staticKey: sealer.publicKeys.staticKey, ephemeralKey: sealer.publicKeys.ephemeralKey,
      epoch: keys?.core.epoch.number ?? 0, epochKey: keys?.epochKey.publicKey, release: Agent.release)
  }

  var verify: Verify {
    { [keyring] author, certificate, message, signature in
      keyring.verify(author, certificate: certificate, message: message, signature: signature)
    }
  }

  func watchSocket() {
    do {
      try around.reactor.watch(around.socket.fileDescriptor, for: .read) { [weak self] in self?.gossipReadable() }
    } catch {
      around.log.critical("\(error)")
    }
  }

  // MARK: Sync

  /// The next request of a sync; nil at its end.
  func syncRequest(to host: HostID) -> [UInt8] { registry.syncRequest(to: host) }

  func syncAnswered(_ response: [UInt8], by host: HostID) -> [UInt8]? {
    let now = Reactor.now()
    let (next, effects) = registry.syncFinish(
      response, from: host, now: now, sign: identity.sign, verify: verify)
    perform(effects, now: now)
    refusal = nil
    if next == nil {
      syncing.remove(host)
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
    syncing.remove(host)
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
