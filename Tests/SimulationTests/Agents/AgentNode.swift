import Membership
import Registry
import Wire

/// An agent of `Membership` and `Registry`, joined as the real one joins them; its VIFs are given by the test.
struct AgentNode: SimulatedNode {
  private(set) var membership: Membership
  private(set) var registry: Registry
  /// Changes of owners that the data path saw in this run.
  private(set) var moves: [(mac: MACAddress, to: HostID?)] = []
  private(set) var rejections: [String] = []
  private var candidates: [HostID] = []
  private var isSynced = false

  static let network = NetworkID(random: 1, 1)

  init(host: HostID, boot: Boot, seed: UInt64) {
    membership = Membership(host: host, boot: boot, configuration: .init(), seed: seed)
    registry = Registry(host: host, boot: boot, seed: seed)
  }

  var deadline: Instant? { [membership.deadline, registry.deadline].compactMap { $0 }.min() }

  static func sign(_ author: HostID) -> Sign {
    { message in author.bytes + [UInt8](repeating: 1, count: 48) + VNI.derived(from: digest(message)).description.utf8 }
  }

  static var verify: Verify { { author, _, message, signature in signature == sign(author)(message) } }

  private static func digest(_ message: [UInt8]) -> NetworkID {
    NetworkID(high: RecordDigest.of(message).value, low: 0)
  }

  // MARK: Inputs

  mutating func start(peers: [HostID], now: Instant) -> [NodeEffect] {
    var effects: [NodeEffect] = []
    if let name = try? HostName("host-\(registry.host.low)") {
      let record = HostRecord(
        name: name, vteps: [.v4(0xc000_0201 + UInt32(truncatingIfNeeded: registry.host.low))], gossipPort: 7677,
        underlayMTU: 1500, capabilities: [.kernelVXLAN], staticKey: [UInt8](repeating: 1, count: 32),
        ephemeralKey: [UInt8](repeating: 2, count: 32), release: "1")
      effects += translate(registry.setHostRecord(record, now: now), now: now)
    }
    for peer in peers { effects += translate(membership.add(peer, now: now), now: now) }
    effects += translate(membership.start(now: now), now: now)
    effects += endTurn(now)
    candidates = peers
    return effects + firstSync(now)
  }

  /// Asks one host after the other; alone it goes on by itself.
  private mutating func firstSync(_ now: Instant) -> [NodeEffect] {
    guard !isSynced else { return [] }
    if let next = candidates.popLast() { return [.request(registry.syncRequest(to: next), to: next)] }
    isSynced = true
    var effects = translate(registry.synced(now: now), now: now)
    effects += translate(registry.setNetworkStatus(Self.network, .stands, now: now), now: now)
    effects += translate(registry.markComplete(now: now), now: now)
    return effects + endTurn(now)
  }

  mutating func vif(_ name: String, now: Instant) -> [NodeEffect] {
    translate(
      registry.attach(vif: name, network: Self.network, isNetback: false, mac: nil, vm: name, now: now), now: now)
      + endTurn(now)
  }

  mutating func frame(_ name: String, _ mac: MACAddress, now: Instant) -> [NodeEffect] {
    translate(registry.frame(vif: name, mac: mac, ips: [], now: now), now: now) + endTurn(now)
  }

  mutating func add(_ host: HostID, now: Instant) -> [NodeEffect] {
    translate(membership.add(host, now: now), now: now) + endTurn(now)
  }

  mutating func greeted(by host: HostID, boot: Boot, now: Instant) -> [NodeEffect] {
    translate(membership.greeted(host, boot: boot, now: now), now: now) + endTurn(now)
  }

  mutating func receive(_ frames: [GossipFrame], from host: HostID, boot: Boot, now: Instant) -> [NodeEffect] {
    var effects: [NodeEffect] = []
    for frame in frames {
      effects += translate(membership.receive(frame, from: host, boot: boot, now: now), now: now)
      effects += translate(registry.receive(frame, from: host, now: now, verify: Self.verify), now: now)
    }
    return effects + endTurn(now)
  }

  mutating func tcpProbe(
    of host: HostID, sequence: UInt32, outcome: Membership.TCPProbeOutcome, now: Instant
  ) -> [NodeEffect] {
    translate(membership.tcpProbe(of: host, sequence: sequence, outcome: outcome, now: now), now: now) + endTurn(now)
  }

  mutating func advance(to now: Instant) -> [NodeEffect] {
    translate(membership.advance(to: now), now: now) + translate(registry.advance(to: now), now: now) + endTurn(now)
  }

  mutating func respond(
    to request: [UInt8], from host: HostID, now: Instant
  ) -> (response: [UInt8]?, effects: [NodeEffect]) {
    let answer = registry.syncRespond(
      request, from: host, now: now, sign: Self.sign(registry.host), verify: Self.verify)
    return (answer.response, translate(answer.effects, now: now) + endTurn(now))
  }

  mutating func receive(response: [UInt8]?, from host: HostID, now: Instant) -> [NodeEffect] {
    guard let response else { return firstSync(now) }
    let end = registry.syncFinish(
      response, from: host, now: now, sign: Self.sign(registry.host), verify: Self.verify)
    let effects = translate(end.effects, now: now) + endTurn(now)
    if let next = end.next { return effects + [.request(next, to: host)] }
    candidates = []
    return effects + firstSync(now)
  }

  // MARK: Effects

  private mutating func endTurn(_ now: Instant) -> [NodeEffect] {
    translate(registry.flush(now: now, sign: Self.sign(registry.host)), now: now)
  }

  private func packets(_ frames: [GossipFrame], to host: HostID) -> [NodeEffect] {
    var result: [NodeEffect] = []
    var packet: [GossipFrame] = []
    var size = 0
    for frame in frames {
      if size + frame.encodedSize > GossipPacket.maximumPlaintext {
        result.append(.send(packet, to: host))
        packet = []
        size = 0
      }
      packet.append(frame)
      size += frame.encodedSize
    }
    return packet.isEmpty ? result : result + [.send(packet, to: host)]
  }

  private mutating func translate(_ effects: [Membership.Effect], now: Instant) -> [NodeEffect] {
    var result: [NodeEffect] = []
    for effect in effects {
      switch effect {
      case .send(let frames, let to):
        let isProbe = frames.contains { frame in
          switch frame {
          case .ping, .ack: true
          default: false
          }
        }
        result += packets(frames + (isProbe ? [registry.advert(incarnation: membership.incarnation)] : []), to: to)
      case .probeTCP(let host, let sequence): result.append(.probeTCP(host, sequence: sequence))
      case .changed(let host, let boot, _, let to):
        result.append(.note("\(host.low) \(to)"))
        result += translate(registry.hostState(host, to, boot: boot, now: now), now: now)
      case .refuted, .ownBootSeen, .paused, .rejected: break
      }
    }
    return result
  }

  private mutating func translate(_ effects: [Registry.Effect], now: Instant) -> [NodeEffect] {
    var result: [NodeEffect] = []
    for effect in effects {
      switch effect {
      case .send(let frames, let to): result += packets(frames, to: to)
      case .advertise(let to): result += packets([registry.advert(incarnation: membership.incarnation)], to: to)
      case .sync(let host): result.append(.request(registry.syncRequest(to: host), to: host))
      case .bindingChanged(_, let mac, let old, let new):
        if old?.host != new?.host { moves.append((mac, new?.host)) }
        result.append(.note("\(mac) at \(new.map { "\($0.host.low) \($0.sequence)" } ?? "nobody")"))
      case .rejected(let rejection): rejections.append("\(rejection)")
      case .floodChanged, .networkChanged, .hostChanged, .localMAC, .poolRecordsChanged, .floorsChanged, .ownBootSeen,
        .event:
        break
      }
    }
    return result
  }
}
