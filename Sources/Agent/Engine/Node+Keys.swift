import Associations
import Kernel
import Registry
import Trust
import Wire

// Keys of the data path: what the core of SAs is told, and what it wants done.
extension Node {
  /// Before this host's record is told for the first time: what an earlier run left in the kernel goes on, and the first
  /// epoch is drawn.
  func startKeys(_ now: Instant) {
    guard around.kernel.associations != nil else { return }
    var system = SystemRandomNumberGenerator()
    let local = around.kernel.underlay.address
    keys = DataPathKeys(
      core: Associations(host: identity.hostID, boot: boot, local: local, seed: system.next()))
    adoptKeys(now)
    perform(keys?.core.start(now: now), now: now)
    watchProtection()
  }

  /// What an earlier run left goes on. If it cannot be looked at, that is tried again, and nothing of it is taken away
  /// before it is known.
  func adoptKeys(_ now: Instant) {
    guard let associations = around.kernel.associations, keys?.haveAdopted == false else { return }
    do {
      let owner = SAOwner(pool: trust.pool, host: identity.hostID)
      let found = try associations.adopt(local: around.kernel.underlay.address, owner: owner)
        .filter { keys?.leftAddresses.contains($0.remote) != true }
      keys?.haveAdopted = true
      // Which of the keys that were found closed are still needed is for a look to come.
      around.kernel.areTunnelsKnown = false
      perform(keys?.core.adopt(found, now: now), now: now)
    } catch {
      around.log.error("\(error)")
    }
  }

  // MARK: What the core is told

  /// What is known of another host may have changed: its record, or whether it answers.
  func tellKeys(of host: HostID, now: Instant) {
    guard keys != nil, host != identity.hostID else { return }
    let peer = peer(host)
    perform(keys?.core.peer(host, peer, now: now), now: now)
    if peer?.isReachable == true, keys?.core.status(of: host).isEstablished == false {
      keys?.await(host, now: now)
    } else if keys?.came(host) == true {
      markEncryptedNetworks()
    }
    tellKeysOfFreed(by: host, now: now)
  }

  /// Hosts that waited for the address of `host`, if it has left it.
  private func tellKeysOfFreed(by host: HostID, now: Instant) {
    for (rival, holder) in keys?.rivals.sorted(by: { $0.key < $1.key }) ?? [] where holder == host {
      guard let vtep = vtep(of: rival), !holds(holder, vtep) else { continue }
      keys?.rivals[rival] = nil
      tellKeys(of: rival, now: now)
    }
  }

  /// Whether the host answers and has this address.
  private func holds(_ host: HostID, _ vtep: VTEP) -> Bool {
    !isGone(host) && answers(host) && self.vtep(of: host) == vtep
  }

  /// nil for a host that has no keys, or none that this one could use.
  private func peer(_ host: HostID) -> Peer? {
    guard !isGone(host), let told = registry.epochKey(of: host), let vtep = vtep(of: host), mismatch(with: host) == nil
    else { return nil }
    let isReachable = answers(host)
    // Policies go by address: of two hosts that say they have one, the first to be heard there keeps it.
    if let holder = keys?.holders[vtep], holder != host, holds(holder, vtep) {
      tellOfTwo(host, and: holder, at: vtep)
      return nil
    }
    keys?.rivals[host] = nil
    if isReachable { keys?.hold(vtep, host) }
    return Peer(epoch: Epoch(boot: told.boot, number: told.number), vtep: vtep, isReachable: isReachable)
  }

  private func answers(_ host: HostID) -> Bool {
    let state = membership.state(of: host)
    return state == .alive || state == .suspect
  }

  private func tellOfTwo(_ host: HostID, and holder: HostID, at vtep: VTEP) {
    guard keys?.rivals.updateValue(holder, forKey: host) == nil else { return }
    around.tell(
      Event(
        kind: "addressTaken",
        message:
          "Host \(name(of: host)) says that its underlay address is \(vtep), which is that of \(name(of: holder)): it gets no keys until one of them has another address.",
        host: name(of: host)))
  }

  /// A host is gone for good: what an earlier run of this agent had with its address goes, too.
  func forgetKeys(of host: HostID, now: Instant) {
    guard keys != nil else { return }
    if keys?.haveAdopted == false, let vtep = vtep(of: host) { keys?.leftAddresses.insert(vtep) }
    if registry.epochKey(of: host) == nil, let vtep = vtep(of: host) {
      let last = Peer(epoch: Epoch(boot: Boot(counter: 0, nonce: 0), number: 0), vtep: vtep, isReachable: false)
      perform(keys?.core.peer(host, last, now: now), now: now)
    }
    perform(keys?.core.peer(host, nil, now: now), now: now)
    keys?.forget(host)
    if keys?.came(host) == true { markEncryptedNetworks() }
    tellKeysOfFreed(by: host, now: now)
  }

  func receiveKeys(_ frame: GossipFrame, from host: HostID, boot: Boot, now: Instant) {
    perform(keys?.core.receive(frame, from: host, boot: boot, now: now), now: now)
  }

  func advanceKeys(_ now: Instant) {
    perform(keys?.core.advance(to: now), now: now)
    if keys?.markLate(now: now) == true { markEncryptedNetworks() }
  }

  /// Tunnels of this host end at another address now: all SAs are made anew for it.
  func moveKeys(to address: VTEP, now: Instant) {
    perform(keys?.core.localAddress(address, now: now), now: now)
    for host in membership.members { tellKeys(of: host.host, now: now) }
  }

  /// Draws a new epoch, after which all SAs of this host are made anew.
  ///
  /// - Returns: its number; that of the last one if the next has to wait a moment; nil without keys.
  func rekeyed(_ now: Instant) -> UInt64? {
    guard keys != nil else { return nil }
    perform(keys?.core.rekey(now: now), now: now)
    endTurn(now)
    return keys?.core.epoch.number
  }

  // MARK: What the core wants

  private func perform(_ effects: [Effect]?, now: Instant) {
    for effect in effects ?? [] {
      switch effect {
      case .drawEpoch:
        keys?.draw()
        perform(registry.setHostRecord(hostRecord, now: now), now: now)
      case .install(let association):
        let outcome = install(association) { $0.install(association, key: $1, inUDP: $2) }
        perform(keys?.core.installed(association, outcome, now: now), now: now)
      case .switchOutbound(let association):
        let outcome = install(association) { $0.switchOutbound(to: association, key: $1, inUDP: $2) }
        perform(keys?.core.switched(association, outcome, now: now), now: now)
      case .remove(let association): remove(association, now: now)
      case .send(let frame, let host, let boot): keys?.frames.append((host, boot, frame))
      case .event(let event): tell(event, now: now)
      }
    }
  }

  private func remove(_ association: Association, now: Instant) {
    guard let associations = around.kernel.associations else { return }
    guard association.direction == .outbound else { return associations.remove(association) }
    // A packet that is on its way has the SA that it was given a moment ago: it would be lost.
    associations.close(association)
    around.reactor.schedule(at: now + .milliseconds(500)) { associations.remove(association) }
  }

  private func install(
    _ association: Association, _ body: (any SADatabase, _ key: [UInt8], _ inUDP: Bool) -> InstallOutcome
  ) -> InstallOutcome {
    guard let associations = around.kernel.associations, let peer = association.peer,
      let key = material(of: association, with: peer)
    else { return .refused }
    // The other host told its path in the same record as the epoch that this key is of.
    let outcome = body(associations, key, capabilities(of: peer).contains(.userSpace))
    if outcome == .refused || outcome == .burnt {
      around.log.warning(
        "\(associations.lastRefusal ?? "An SA could not be set up.")", metadata: ["host": "\(name(of: peer))"])
    }
    return outcome
  }

  func capabilities(of host: HostID) -> HostCapabilities {
    host == identity.hostID ? abilities : registry.hostView(host)?.record?.capabilities ?? []
  }

  /// Why there can be no keys with a host that has some, as the two encrypt in ways that do not meet; nil if they do.
  func mismatch(with host: HostID) -> String? {
    guard registry.epochKey(of: host) != nil else { return nil }
    let (own, other) = (abilities, capabilities(of: host))
    guard own.contains(.userSpace) != other.contains(.userSpace) else { return nil }
    let (kernelHost, userHost, isAble) =
      own.contains(.userSpace)
      ? (name(of: host), around.name.text, other.contains(.espInUDP))
      : (around.name.text, name(of: host), own.contains(.espInUDP))
    guard !isAble else { return nil }
    return
      "\(userHost) carries encrypted networks in user space and \(kernelHost) in the kernel, which cannot take ESP in UDP there: start weftd with --dataplane user on \(kernelHost)."
  }

  /// nil if the key was overtaken by a newer epoch of either end, or cannot be made.
  private func material(of association: Association, with peer: HostID) -> [UInt8]? {
    guard let keys, let name = association.key, let told = registry.epochKey(of: peer) else { return nil }
    let peerEpoch = Epoch(boot: told.boot, number: told.number)
    let (own, other) =
      association.direction == .inbound
      ? (name.receiverEpoch, name.senderEpoch) : (name.senderEpoch, name.receiverEpoch)
    guard own == keys.core.epoch, other == peerEpoch else { return nil }
    do {
      return try keys.epochKey.material(
        sender: EpochEnd(host: name.sender, boot: name.senderEpoch.boot, number: name.senderEpoch.number),
        receiver: EpochEnd(host: name.receiver, boot: name.receiverEpoch.boot, number: name.receiverEpoch.number),
        peerPublicKey: told.key)
    } catch {
      if keys.unusable[peer] != peerEpoch {
        self.keys?.unusable[peer] = peerEpoch
        around.tell(
          Event(
            kind: "keyUnusable", message: "There can be no keys with host \(self.name(of: peer)). \(error)",
            host: self.name(of: peer)))
      }
      return nil
    }
  }

  /// Behind the statements of the turn.
  func sendKeyFrames() {
    guard let frames = keys?.frames, !frames.isEmpty else { return }
    keys?.frames = []
    for (host, boot, frame) in frames where registry.boot(of: host) == boot { outbox.add([frame], to: host) }
  }

  private func tell(_ event: AssociationEvent, now: Instant) {
    switch event {
    case .established(let host):
      _ = keys?.came(host)
      around.tell(
        Event(
          kind: "keysEstablished", message: "Keys with host \(name(of: host)) stand in both directions.",
          host: name(of: host)))
      markEncryptedNetworks()
    case .rekeyed(let epoch, let reason):
      around.tell(Event(kind: "rekeyed", message: "New keys were drawn (epoch \(epoch)): \(sentence(reason))."))
    case .waiting(let host):
      around.tell(
        Event(
          kind: "rekeyWaits",
          message:
            "New keys with host \(name(of: host)) wait: it has not confirmed the last three; the older ones are in use.",
          host: name(of: host)))
    }
  }

  private func sentence(_ reason: RekeyReason) -> String {
    switch reason {
    case .start: "this agent started"
    case .time: "an hour has passed"
    case .packets: "an SA carried 2^30 packets"
    case .asked: "somebody asked for it"
    case .addressChanged: "the underlay address changed"
    case .lost(let host): "an SA with host \(name(of: host)) was gone or changed"
    }
  }

  /// What an encrypted network lacks although it stands; nil if nothing.
  var keysComplaint: String? {
    let hosts = registry.hosts.filter { $0.standing == .member && $0.id != identity.hostID && !isGone($0.id) }
    if let sentence = hosts.compactMap({ mismatch(with: $0.id) }).first { return sentence }
    if let failure = around.kernel.espInUDP?.failure,
      hosts.contains(where: { capabilities(of: $0.id).contains(.userSpace) })
    {
      return "Nothing comes from hosts that carry encrypted networks in user space. \(failure)"
    }
    guard let late = keys?.late, !late.isEmpty else { return nil }
    let names = late.map { name(of: $0) }.sorted().joined(separator: ", ")
    return
      "There are no keys with \(names) yet, so no frame goes between it and this host: see `weft doctor` on both."
  }

  private func markEncryptedNetworks() {
    for network in registry.networks where network.encryption == .required { staleNetworks.insert(network.id) }
  }

  // MARK: The kernel's side

  private func watchProtection() {
    guard let protection = around.kernel.protection else { return }
    do {
      try around.reactor.watch(protection.monitor.descriptor, for: .read) { [weak self] in
        self?.protectionReadable { try $0.monitorReadable() }
      }
      if let monitor = protection.filterMonitor {
        try around.reactor.watch(monitor.descriptor, for: .read) { [weak self] in
          self?.protectionReadable { try $0.filterMonitorReadable() }
        }
      }
      keys?.lacksMonitors = false
    } catch {
      keys?.lacksMonitors = true
      around.log.critical("\(error)")
    }
  }

  /// Monitors in place of those that cannot be read any more. If there are none to be had, that is tried again at each
  /// look, which finds what they would have told.
  private func watchProtectionAnew() {
    stopWatchingProtection()
    keys?.lacksMonitors = true
    do throws(KernelError) {
      try around.kernel.protection?.reopenMonitors()
      watchProtection()
    } catch {
      around.log.error("\(error)")
    }
  }

  func stopWatchingProtection() {
    guard keys != nil, let protection = around.kernel.protection else { return }
    around.reactor.unwatch(protection.monitor.descriptor)
    if let monitor = protection.filterMonitor { around.reactor.unwatch(monitor.descriptor) }
  }

  /// Somebody changed our policies, SAs or filter.
  private func protectionReadable(_ read: (Protection) throws -> Bool) {
    guard let protection = around.kernel.protection else { return }
    let now = Reactor.now()
    var isForeign = true
    do {
      isForeign = try read(protection)
    } catch {
      around.log.error("\(error)")
      watchProtectionAnew()
    }
    if isForeign { reconcileKeys(now) }
    endTurn(now)
  }

  /// Compares SAs and policies with what stands: policies are set again, an SA that is gone is made up for by new keys.
  func reconcileKeys(_ now: Instant) {
    adoptKeys(now)
    guard let associations = around.kernel.associations, keys != nil else { return }
    if keys?.lacksMonitors == true { watchProtectionAnew() }
    let sighting: SASighting
    do { sighting = try associations.look() } catch {
      around.log.error("\(error)")
      return
    }
    guard keys?.haveAdopted == true else {
      // Nothing of an earlier run may go yet. What closes is set again with the networks.
      markEncryptedNetworks()
      return
    }
    let core = keys?.core
    associations.repair(sighting, known: core?.all ?? [], isInUse: { core?.isInUse($0) ?? false })
    for association in core?.all ?? [] {
      if !sighting.stands(association) {
        perform(keys?.core.lost(association, now: now), now: now)
        if let host = association.peer { tellKeys(of: host, now: now) }
      } else if association.direction == .outbound, let use = sighting.use(of: association) {
        perform(keys?.core.sent(packets: use.packets, by: association, now: now), now: now)
      }
    }
    let members = registry.hosts.filter { $0.standing == .member && $0.id != identity.hostID }
    for member in members { tellKeys(of: member.id, now: now) }
    // An adopted SA belongs to a host that is not known yet as long as one of them has told nothing.
    let areKnown = members.allSatisfy { member in
      member.record != nil
        || (membership.state(of: member.id) != .agentDown && now - startedAt > ForwardingPatience.silent)
    }
    if isSynced, areKnown { perform(keys?.core.membersAreKnown(now: now), now: now) }
    markEncryptedNetworks()
  }
}
