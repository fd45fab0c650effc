import Wire

extension Associations {
  /// A frame about SAs; all others are passed over.
  ///
  /// - Parameter boot: the sender's boot that the packet was sealed for.
  package mutating func receive(
    _ frame: GossipFrame, from host: HostID, boot: Boot, now: Instant
  ) -> [Effect] {
    // Numbers in a frame of another boot name other epochs than those that are known here.
    guard isStarted, let known = relations[host]?.peer.epoch, known.boot == boot, known.number > 0 else { return [] }
    switch frame {
    case .standing(let epoch, let receiverEpoch, let spi):
      guard relations[host]?.allowance.take(now: now) ?? false else { return [] }
      return offered(
        EpochPair(own: receiverEpoch, peer: Epoch(boot: boot, number: epoch)), spi, by: host, now: now)
    case .sending(let epoch, let receiverEpoch, let spi):
      // Nobody can know an epoch of this host that was not drawn yet.
      guard epoch > 0, (1...number).contains(receiverEpoch),
        relations[host]?.allowance.take(now: now) ?? false
      else { return [] }
      return reported(
        EpochPair(own: receiverEpoch, peer: Epoch(boot: boot, number: epoch)), spi, by: host, now: now)
    default: return []
    }
  }

  // MARK: The peer's inbound SA stands

  private mutating func offered(_ pair: EpochPair, _ spi: SPI, by host: HostID, now: Instant) -> [Effect] {
    guard let relation = relations[host], pair == currentPair(with: relation.peer) else {
      return answer(host)
    }
    let hurried = hurry(host, now: now)
    guard !relation.isSpent(pair, .outbound), relation.switching == nil else {
      return (relation.switching == nil ? answer(host) : []) + hurried
    }
    let association = Association(
      peer: host, direction: .outbound, spi: spi, local: local, remote: relation.peer.vtep,
      key: keyName(.outbound, pair, with: host))
    relations[host]?.switching = association
    relations[host]?.spend(pair, .outbound)
    return [.switchOutbound(association)] + hurried
  }

  /// Tells a host by which of its SAs this one sends to it.
  func answer(_ host: HostID) -> [Effect] {
    guard let relation = relations[host], relation.peer.epoch.number > 0 else { return [] }
    let epoch = relation.peer.epoch
    let frame = GossipFrame.sending(
      epoch: number, receiverEpoch: epoch.number, spi: relation.usableOutbound?.association.spi)
    return [.send(frame, to: host, boot: epoch.boot)]
  }

  // MARK: The peer tells by which SA it sends

  /// Everything here only grows, so reports may come late, twice and in any order.
  private mutating func reported(_ pair: EpochPair, _ spi: SPI?, by host: HostID, now: Instant) -> [Effect] {
    guard var relation = relations[host] else { return [] }
    let named = spi.flatMap { spi in relation.inbound.first { $0.spi == spi } }
    // Frames under the SA that was in use before may be on their way. A peer that sends by none that stands here was not
    // moving from one to another.
    let freeAt = named == nil ? now : now + configuration.shortestRetirement
    for index in relation.inbound.indices where relation.inbound[index].spi != spi {
      let other = relation.inbound[index]
      guard other.isOvertaken(own: pair.own, peer: pair.peer) || named.map({ other.isOlder(than: $0) }) ?? false else {
        continue
      }
      relation.inbound[index].die(now: now, freeAt: freeAt)
    }
    if let named, !named.isDead, let index = relation.inbound.firstIndex(where: { $0.spi == named.spi }) {
      relation.inbound[index].isConfirmed = true
      let present = relation.inUse.flatMap { spi in relation.inbound.first { $0.spi == spi } }
      if !(present.map { named.isOlder(than: $0) } ?? false) { relation.inUse = named.spi }
    }
    relations[host] = relation
    return establish(host) + settle(host, now: now)
  }

  /// Tells once that keys stand in both directions.
  mutating func establish(_ host: HostID) -> [Effect] {
    guard let relation = relations[host], !relation.isEstablished, relation.usableOutbound != nil,
      relation.inUse != nil
    else { return [] }
    relations[host]?.isEstablished = true
    return [.event(.established(host))]
  }
}
