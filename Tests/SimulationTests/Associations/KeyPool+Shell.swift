import Associations
import Wire

extension KeyPool {
  // MARK: Effects

  mutating func perform(_ effects: [Effect], of index: Int) {
    updateMutual(index)
    for effect in effects {
      guard hosts[index].core != nil else { return }
      switch effect {
      case .drawEpoch(let number):
        if number != hosts[index].drawn + 1 { fail("host \(index) draws \(number) after \(hosts[index].drawn)") }
        hosts[index].drawn = number
        hosts[index].isNewAddressKeyless = false
        note("\(index) draws \(number)")
        publish(index)
      case .install(let association):
        let outcome = install(association, at: index)
        note("\(index) installs \(association.spi): \(outcome)")
        input(index) { core, now in core.installed(association, outcome, now: now) }
      case .switchOutbound(let association):
        let outcome = switchOutbound(association, at: index)
        note("\(index) switches to \(association.spi): \(outcome)")
        input(index) { core, now in core.switched(association, outcome, now: now) }
      case .remove(let association):
        note("\(index) removes \(association.direction) \(association.spi)")
        hosts[index].kernel.remove(association)
      case .send(let frame, let host, let boot): send(frame, from: index, to: self.index(of: host), boot: boot)
      case .event(let event): note("\(index): \(event)")
      }
    }
    updateMutual(index)
  }

  private mutating func install(_ association: Association, at index: Int) -> InstallOutcome {
    guard let key = checkedKey(of: association, at: index) else { return .refused }
    if chance(faults.spiTaken) { return .spiTaken }
    if chance(faults.refused) { return .refused }
    if !installed.insert(key).inserted { fail("\(index) installs the key of \(association) twice") }
    if chance(faults.burnt) { return .burnt }
    return hosts[index].kernel.add(association, key) ? .done : .spiTaken
  }

  private mutating func switchOutbound(_ association: Association, at index: Int) -> InstallOutcome {
    guard let key = checkedKey(of: association, at: index), let peer = association.peer else { return .refused }
    if chance(faults.refused) { return .refused }
    if !switchedTo.insert(key).inserted { fail("\(index) switches to the key of \(association) twice") }
    if chance(faults.burnt) { return .burnt }
    if !destroyed.contains(key), !hosts[self.index(of: peer)].kernel.holds(association.name, key) {
      fail("\(index) switches to \(association), which does not stand at the receiver")
    }
    return hosts[index].kernel.add(association, key) ? .done : .spiTaken
  }

  /// The name of the key, if the shell could derive it: it holds the private key of its last epoch only, and the public
  /// key of the peer's record.
  private mutating func checkedKey(of association: Association, at index: Int) -> KeyName? {
    guard let key = association.key, let peer = association.peer else {
      fail("\(index) is to install an SA without a key")
      return nil
    }
    let (own, other) =
      association.direction == .inbound
      ? (key.receiverEpoch, key.senderEpoch) : (key.senderEpoch, key.receiverEpoch)
    guard own == hosts[index].record.epoch, other == hosts[index].records[self.index(of: peer)]?.epoch else {
      // A burnt key in the middle of a list of effects draws an epoch, and what stands behind it is refused.
      if isPunctual { fail("\(index) cannot derive the key of \(association)") }
      return nil
    }
    return key
  }

  // MARK: Frames and records

  private mutating func send(_ frame: GossipFrame, from source: Int, to target: Int, boot: Boot) {
    guard hosts[source].sessions[target] == boot else { return }
    let copies = chance(conditions.duplication) ? 2 : 1
    for _ in 0..<copies {
      guard !cuts.contains([source, target]), !chance(conditions.loss) else {
        flows[source][target].framesLost += 1
        flows[target][source].framesLost += 1
        continue
      }
      let time = now + delay()
      events.add(.frame(frame, from: source, boot: hosts[source].boot, to: target, sealedFor: boot), at: time)
    }
  }

  /// Gossip brings a record to everybody, past cuts too, a little later.
  mutating func publish(_ index: Int) {
    hosts[index].version += 1
    for target in hosts.indices where target != index && hosts[target].core != nil {
      // Lost once, it comes with the repetition.
      let repetition: Duration = chance(conditions.loss) ? .milliseconds(250) : .zero
      let time = now + delay() + repetition
      events.add(.record(hosts[index].record, of: index, to: target, boot: hosts[target].boot), at: time)
    }
  }

  mutating func learn(_ record: KeyHost.Record, of owner: Int, at index: Int) {
    guard hosts[index].core != nil, !hosts[owner].isEvicted, !hosts[index].isEvicted else { return }
    if let known = hosts[index].records[owner], !record.isNewer(than: known) { return }
    hosts[index].records[owner] = record
    hosts[index].forwarding[owner] = record.vtep
    let session = hosts[index].sessions[owner] ?? record.epoch.boot
    hosts[index].sessions[owner] = max(session, record.epoch.boot)
    if hosts[owner].boot == record.epoch.boot, hosts[owner].core != nil { hosts[index].unreachable.remove(owner) }
    tell(owner, at: index)
  }

  mutating func setReachable(_ isReachable: Bool, _ other: Int, at index: Int) {
    if isReachable { hosts[index].unreachable.remove(other) } else { hosts[index].unreachable.insert(other) }
    tell(other, at: index)
  }

  private mutating func tell(_ other: Int, at index: Int) {
    guard let record = hosts[index].records[other] else { return }
    let peer = Peer(
      epoch: record.epoch, vtep: record.vtep, isReachable: !hosts[index].unreachable.contains(other))
    let id = hosts[other].id
    input(index) { core, now in core.peer(id, peer, now: now) }
  }

  // MARK: Packets

  mutating func traffic() {
    for source in hosts.indices where hosts[source].isUp {
      for target in hosts.indices where target != source && hosts[target].isUp {
        guard let remote = hosts[source].forwarding[target] else { continue }
        flows[source][target].sent += 1
        guard let packet = hosts[source].kernel.seal(.init(local: hosts[source].vtep, remote: remote)) else {
          lose(from: source, to: target, sentAt: now, "no outbound SA")
          continue
        }
        if lastIV[packet.key, default: 0] >= packet.iv {
          fail("\(source) seals number \(packet.iv) under one key twice: \(packet.key)")
        }
        lastIV[packet.key] = packet.iv
        guard !cuts.contains([source, target]) else { continue }
        let time = now + delay()
        events.add(.packet(packet, from: source, to: target, sentAt: now), at: time)
      }
    }
  }

  mutating func deliver(_ packet: SimulatedESP.Packet, from source: Int, to target: Int, sentAt: Instant) {
    // Nobody is at an old address.
    guard hosts[target].isUp, packet.name.destination == hosts[target].vtep else { return }
    if hosts[target].kernel.open(packet) {
      flows[source][target].delivered(sentAt: sentAt)
    } else {
      lose(from: source, to: target, sentAt: sentAt, "no inbound SA \(packet.name.spi)")
    }
  }

  private mutating func lose(from source: Int, to target: Int, sentAt: Instant, _ reason: String) {
    flows[source][target].lost += 1
    let flow = flows[source][target]
    if let since = flow.standsSince {
      guard sentAt >= since else { return }
      fail("a packet from \(source) to \(target) is lost: \(reason)")
    } else if let deadline = flow.deadline(roundTrip: conditions.longestDelay * 2),
      sentAt > deadline, isPunctual
    {
      fail("\(source) and \(target) know each other, and a packet is lost: \(reason)")
    }
  }

  // MARK: Who knows whom

  /// Notes since when two hosts know each other's present epoch.
  mutating func updateMutual(_ index: Int) {
    for other in hosts.indices where other != index {
      let isMutual = knows(index, other) && knows(other, index)
      for (source, target) in [(index, other), (other, index)] where !flows[source][target].stands {
        if !isMutual {
          flows[source][target].mutualSince = nil
          flows[source][target].framesLost = 0
        } else if flows[source][target].mutualSince == nil {
          flows[source][target].mutualSince = now
          flows[source][target].framesLost = 0
        }
      }
    }
  }

  private func knows(_ index: Int, _ other: Int) -> Bool {
    hosts[index].core != nil && hosts[other].core != nil && !hosts[index].isNewAddressKeyless
      && hosts[index].records[other]?.isSame(as: hosts[other].record) == true
      && !hosts[index].unreachable.contains(other)
  }

  // MARK: Checks

  /// What must hold after every step of an agent.
  mutating func check(_ index: Int) {
    guard let core = hosts[index].core else { return }
    var count: [HostID: Int] = [:]
    for association in core.all {
      guard let peer = association.peer else { continue }
      if association.direction == .inbound { count[peer, default: 0] += 1 }
    }
    for (peer, count) in count where count > core.configuration.inboundLimit {
      fail("\(count) inbound SAs stand at \(index) for \(self.index(of: peer))")
    }
  }

  /// For each pair one SA stands in each direction, under the same epochs, and nothing else does.
  func isConverged() -> Bool {
    hosts.indices.allSatisfy { index in
      guard let core = hosts[index].core else { return true }
      let others = hosts.indices.filter { $0 != index && hosts[$0].core != nil && !hosts[$0].isEvicted }
      guard hosts[index].kernel.states.count == 2 * others.count, core.all.count == 2 * others.count else {
        return false
      }
      return others.allSatisfy { other in
        let vtep = hosts[other].vtep
        guard core.status(of: hosts[other].id).isConfirmed, hosts[index].kernel.count(.inbound, with: vtep) == 1,
          let spi = core.outboundSPI(to: hosts[other].id),
          let sending = core.association(destination: vtep, spi: spi)?.key
        else { return false }
        return hosts[index].kernel.policies[.init(local: hosts[index].vtep, remote: vtep)] == spi
          && hosts[other].kernel.holds(.init(destination: vtep, spi: spi), sending)
          && sending.senderEpoch == hosts[index].record.epoch && sending.receiverEpoch == hosts[other].record.epoch
      }
    }
  }
}
