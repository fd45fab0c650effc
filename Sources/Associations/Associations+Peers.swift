import Wire

extension Associations {
  /// What is known of another host; nil if it left, was evicted or is forgotten: then all of its SAs go at once.
  package mutating func peer(_ host: HostID, _ peer: Peer?, now: Instant) -> [Effect] {
    guard host != self.host else { return [] }
    guard let peer else { return forget(host) }
    guard var relation = relations[host] else {
      relations[host] = Relation(
        peer: peer, spent: spentWithGone.removeValue(forKey: host) ?? SpentPairs(), configuration: configuration)
      roster.insert(host, at: roster.firstIndex { host < $0 } ?? roster.count)
      return bind(now: now) + settle(host, now: now)
    }
    guard relation.peer != peer else { return [] }
    let hasMoved = relation.peer.vtep != peer.vtep
    // Epochs only grow; with the key of an older one nothing new is set up.
    let epoch = max(relation.peer.epoch, peer.epoch)
    if epoch != relation.peer.epoch || !peer.isReachable { relation.repetition = nil }
    relation.peer = Peer(epoch: epoch, vtep: peer.vtep, isReachable: peer.isReachable)
    if hasMoved {
      relation.abandonOutbound()
      // The peer draws an epoch of its own for its new address, and with that no other is needed.
      delayRepair(of: host, until: now + configuration.leastRekeyInterval * 2)
    }
    relations[host] = relation
    return (hasMoved ? bind(now: now) : []) + settle(host, now: now)
  }

  private mutating func forget(_ host: HostID) -> [Effect] {
    guard let relation = relations.removeValue(forKey: host) else { return [] }
    roster.removeAll { $0 == host }
    if relation.spent != SpentPairs() { spentWithGone[host] = relation.spent }
    return relation.all.map { .remove($0) }
  }

  /// Tunnels end at another address of this host from now on.
  package mutating func localAddress(_ vtep: VTEP, now: Instant) -> [Effect] {
    guard vtep != local else { return [] }
    local = vtep
    isAwaitingEpoch = isStarted
    for host in roster {
      relations[host]?.abandonOutbound()
      relations[host]?.abandonInbound(now: now, retirement: configuration.shortestRetirement)
    }
    return request(.addressChanged, at: now, now: now)
  }

  // MARK: Adoption

  /// SAs that an earlier run of this agent left. They are used until newer ones are, each by the host that has its
  /// address.
  package mutating func adopt(_ found: [AdoptedAssociation], now: Instant) -> [Effect] {
    for association in found
    where !strangers.contains(association)
      && self.association(destination: association.association.destination, spi: association.spi) == nil
    {
      strangers.append(association)
    }
    return bind(now: now)
  }

  /// The first sync is over: an adopted SA that no member claims soon belongs to nobody.
  package mutating func membersAreKnown(now: Instant) -> [Effect] {
    if strangersEnd == nil { strangersEnd = now + configuration.retirement }
    return []
  }

  /// Gives adopted SAs to the hosts that have their addresses.
  private mutating func bind(now: Instant) -> [Effect] {
    var effects: [Effect] = []
    for host in roster {
      guard var relation = relations[host] else { continue }
      let own = strangers.filter { $0.remote == relation.peer.vtep }
      guard !own.isEmpty else { continue }
      strangers.removeAll { $0.remote == relation.peer.vtep }
      for adopted in own {
        var association = adopted.association
        association.peer = host
        switch adopted.direction {
        case .inbound:
          relation.inbound.insert(InboundAssociation(association, pair: nil), at: 0)
          if adopted.local != local { relation.inbound[0].die(now: now, freeAt: now) }
        case .outbound:
          if adopted.isInUse, adopted.local == local, relation.outbound == nil {
            relation.outbound = OutboundAssociation(association: association, pair: nil)
          } else {
            effects.append(.remove(association))
          }
        }
      }
      relations[host] = relation
    }
    return effects
  }
}

extension Relation {
  mutating func abandonOutbound() {
    outbound?.isAbandoned = true
    isEstablished = false
  }

  /// All inbound SAs end at an address that this host has no more; only under the one in use frames may be on their way.
  fileprivate mutating func abandonInbound(now: Instant, retirement: Duration) {
    for index in inbound.indices {
      inbound[index].die(now: now, freeAt: inbound[index].spi == inUse ? now + retirement : now)
    }
    inUse = nil
    repetition = nil
    isEstablished = false
  }
}

extension AdoptedAssociation {
  /// As long as its peer is not known.
  var association: Association {
    Association(peer: nil, direction: direction, spi: spi, local: local, remote: remote, key: nil)
  }
}
