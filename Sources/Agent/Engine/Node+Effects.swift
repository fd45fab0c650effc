import Membership
import Registry
import Trust
import Wire

// What the cores say is to be done.
extension Node {
  func perform(_ effects: [Membership.Effect], now: Instant) {
    for effect in effects {
      switch effect {
      case .send(let frames, let host): outbox.add(withAdvert(frames), to: host)
      case .probeTCP(let host, let sequence): probe(host, sequence: sequence, now: now)
      case .changed(let host, let boot, let from, let to):
        memberChanged(host, boot: boot, from: from, to: to, now: now)
      case .refuted(let incarnation):
        around.tell(
          Event(
            kind: "suspicionRefuted",
            message: "Other hosts did not hear this host for a while; it answered (incarnation \(incarnation))."))
      case .ownBootSeen(let boot): around.restart(boot)
      case .paused(let duration):
        around.tell(Event(kind: "paused", message: "This host's agent stood still for \(duration)."))
      case .rejected(let reason): reject("membership", "\(reason)", from: nil)
      }
    }
  }

  /// Pings and acks tell what this host last stated, so that a loss shows at the next probe.
  private func withAdvert(_ frames: [GossipFrame]) -> [GossipFrame] {
    let isProbe = frames.contains {
      switch $0 {
      case .ping, .ack: true
      default: false
      }
    }
    return isProbe ? frames + [registry.advert(incarnation: membership.incarnation)] : frames
  }

  private func probe(_ host: HostID, sequence: UInt32, now: Instant) {
    if let endpoint = endpoint(of: host) {
      around.send(.probe(host, at: endpoint, sequence: sequence))
    } else {
      perform(membership.tcpProbe(of: host, sequence: sequence, outcome: .silent, now: now), now: now)
    }
  }

  private func memberChanged(_ host: HostID, boot: Boot, from: MemberState?, to: MemberState, now: Instant) {
    perform(registry.hostState(host, to, boot: boot, now: now), now: now)
    tellKeys(of: host, now: now)
    if from != to {
      let name = name(of: host)
      switch to {
      case .alive:
        around.tell(Event(kind: "hostAlive", message: "Host \(name) is alive.", host: name))
        fetchCAIfNeeded()
      case .suspect:
        around.tell(Event(kind: "hostSuspect", message: "Host \(name) does not answer; it may be down.", host: name))
      case .agentDown:
        around.tell(
          Event(
            kind: "hostAgentDown",
            message: "The agent of host \(name) is silent but its kernel answers: \(fateOfTraffic(host)).", host: name))
        // If it is this host that is not wanted any more, the other one says so.
        if let endpoint = endpoint(of: host) { around.send(.sync(host, at: endpoint)) }
      case .dead:
        // What stood for it although it had told nothing here is not protected any more.
        staleNetworks.formUnion(around.kernel.observed.networks.keys)
        around.tell(Event(kind: "hostDead", message: "Host \(name) is dead: its VIFs are hidden.", host: name))
      case .left: around.tell(Event(kind: "hostLeft", message: "Host \(name) leaves the pool.", host: name))
      }
    }
  }

  /// What becomes of the traffic of a host whose agent is silent.
  func fateOfTraffic(_ host: HostID) -> String {
    capabilities(of: host).contains(.userSpace)
      ? "its encrypted traffic stands still until weftd runs there" : "its traffic goes on"
  }

  func perform(_ effects: [Registry.Effect], now: Instant) {
    for effect in effects {
      switch effect {
      case .bindingChanged(let network, let mac, let old, let new):
        bindingChanged(network, mac, old: old, new: new, now: now)
      case .floodChanged(let network): staleNetworks.insert(network)
      case .networkChanged(let network): staleNetworks.insert(network)
      case .hostChanged(let host): hostChanged(host, now: now)
      case .localMAC(let network, let mac, let vif): localMAC(network, mac, vif: vif)
      case .send(let frames, let host): outbox.add(frames, to: host)
      case .advertise(let host):
        outbox.add([registry.advert(incarnation: membership.incarnation)], to: host)
      case .sync(let host):
        if let endpoint = endpoint(of: host) { around.send(.sync(host, at: endpoint)) }
      case .poolRecordsChanged: hasNewPoolRecords = true
      case .floorsChanged: around.files.write(.floors, Floor.encode(registry.floors))
      case .ownBootSeen(let boot): around.restart(boot)
      case .event(let event): tell(event)
      case .rejected(let rejection): reject("registry", "\(rejection.reason)", from: nil)
      }
    }
  }

  /// The host's record or standing changed: admitted, heard in a new boot, moved to another address, left, evicted.
  private func hostChanged(_ host: HostID, now: Instant) {
    guard host != identity.hostID, let view = registry.hostView(host) else { return }
    guard view.standing == .member, !trust.revoked.contains(host) else {
      forget(host, now: now)
      return
    }
    perform(membership.add(host, lastBoot: view.boot, now: now), now: now)
    if let record = view.record, let address = record.vteps.first {
      lastNames[host] = record.name.text
      let endpoint = Endpoint(address: address, port: record.gossipPort)
      if lastAddresses[host] != endpoint {
        lastAddresses[host] = endpoint
        // Its tunnels end elsewhere from now on.
        for network in registry.networks { staleNetworks.insert(network.id) }
        tellOfOtherFamily()
      }
      storePeers()
      trySync(now)
    }
    tellKeys(of: host, now: now)
  }

  private func forget(_ host: HostID, now: Instant) {
    forgetKeys(of: host, now: now)
    sealer.close(host)
    sessions[host] = nil
    perform(membership.remove(host, now: now), now: now)
    for network in registry.networks { staleNetworks.insert(network.id) }
    if lastAddresses.removeValue(forKey: host) != nil { storePeers() }
  }

  // MARK: Trust

  /// Once a turn: pool records that are new go to disk, and what evictions among them say into the trust.
  func takePoolRecords(_ now: Instant) {
    guard hasNewPoolRecords else { return }
    hasNewPoolRecords = false
    around.files.write(.poolRecords, RecordFile.encode(registry.poolRecords))
    applyRevocations(now)
  }

  /// Takes what evictions say into the trust; an evicted host is forgotten at once.
  func applyRevocations(_ now: Instant) {
    let (isNew, faults) = trust.adopt(registry.revocations.map(\.payload))
    for fault in faults { reject("eviction", "\(fault)", from: nil) }
    guard isNew else { return }
    around.files.write(.trust, trust.encoded)
    keyring.update(trust: trust)
    if trust.revoked.contains(identity.hostID) {
      around.tell(
        Event(
          kind: "evicted",
          message: "This host was evicted from the pool: run `weft pool leave` on it, then join again with a token."))
    }
    for host in trust.revoked.sorted() where membership.state(of: host) != nil { forget(host, now: now) }
    around.trustChanged()
    fetchCAIfNeeded()
  }

  /// Without the key of the present CA this host admits nobody; any other host has it.
  func fetchCAIfNeeded() {
    guard ca == nil else { return }
    let endpoints = membership.members.filter { $0.state == .alive }.compactMap { endpoint(of: $0.host) }
    if !endpoints.isEmpty { around.send(.fetchCA(endpoints)) }
  }

  // MARK: Files

  func storePeers() {
    let peers = papers.peers
    guard peers != storedPeers else { return }
    storedPeers = peers
    around.files.write(.peers, PeerAddress.encode(peers, seeds: seeds))
  }

  /// This host's own statements seed its next boot; they are written a little after they change, by somebody else.
  func storeStatementsSoon(_ now: Instant) {
    guard storeTimer == nil, registry.ownVersion != storedVersion else { return }
    storeTimer = around.reactor.schedule(at: now + .seconds(2)) { [weak self] in self?.storeStatements() }
  }

  func storeStatements() {
    storeTimer = nil
    guard isSynced else { return }
    storedVersion = registry.ownVersion
    around.files.write(.statements, registry.ownStatements)
  }

  // MARK: Events of the registry

  private func tell(_ event: RegistryEvent) {
    func say(_ kind: String, _ network: NetworkID, _ mac: MACAddress, host: String? = nil, _ message: String) {
      around.tell(
        Event(kind: kind, message: message, host: host, network: name(of: network), mac: mac.description))
    }
    switch event {
    case .claimed(let network, let mac, let sequence, let vif):
      say("macLive", network, mac, "MAC \(mac) is live here on \(vif) (sequence \(sequence)).")
    case .gaveUp(let network, let mac, let host):
      say("macMoved", network, mac, host: name(of: host), "MAC \(mac) moved from here to \(name(of: host)).")
    case .tookBack(let network, let mac, let sequence):
      say("macTakenBack", network, mac, "MAC \(mac) is live here again (sequence \(sequence)).")
    case .withdrawn(let network, let mac, _):
      say("macWithdrawn", network, mac, "MAC \(mac) is not connected here any more.")
    case .damped(let network, let mac):
      say("macDamped", network, mac, "MAC \(mac) moved too often; this host stops claiming it for a while.")
    case .duplicate(let network, let mac, let vif, let host):
      say(
        "macDuplicate", network, mac, host: name(of: host),
        "MAC \(mac) transmits on \(vif) here and on \(name(of: host)): give one of the VMs another MAC.")
    case .limited(let network, let mac, let vif, let limit):
      say("macLimited", network, mac, "MAC \(mac) on \(vif) was not taken up: \(limit.sentence)")
    case .purged(let host):
      around.tell(
        Event(kind: "hostPurged", message: "Host \(name(of: host)) was dead for long; its VIFs are forgotten."))
    case .completed(let host, _):
      around.tell(
        Event(kind: "hostReady", message: "Host \(name(of: host)) has told all it has.", host: name(of: host)))
    }
  }
}

extension LocalLimit {
  fileprivate var sentence: String {
    switch self {
    case .macsPerVIF: "the VIF has as many MACs as it may."
    case .ipsPerMAC: "one of its addresses is beyond those that a MAC may have."
    case .claimsPerSecond: "the VIF shows new MACs too fast."
    }
  }
}
