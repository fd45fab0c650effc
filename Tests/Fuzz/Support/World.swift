import Wire

@testable import Agent
@testable import Membership
@testable import Registry

/// The cores of one agent, joined as the agent joins them, with a clock that the input turns. A value: each input begins
/// with a copy of the same world.
struct World {
  private(set) var membership: Membership
  private(set) var registry: Registry
  private(set) var now = Instant(nanoseconds: 1_000_000_000)
  private var probes: [(host: HostID, sequence: UInt32)] = []

  /// A signature is anything that does not begin with 0.
  static var sign: Sign { { _ in [UInt8](repeating: 0x5a, count: 64) } }
  static var verify: Verify { { _, _, _, signature in signature.first.map { $0 != 0 } ?? false } }

  static func host(_ number: Int) -> HostID { HostID(high: 0xa0, low: UInt64(number)) }
  static func network(_ number: Int) -> NetworkID { NetworkID(random: 0xb0, UInt64(number)) }
  static func mac(_ number: Int) -> MACAddress { MACAddress(0x0016_3e00_0000 + UInt64(number)) ?? .broadcast }
  static func boot(_ counter: Int) -> Boot { Boot(counter: UInt64(counter), nonce: 7) }

  /// Host `number` of four that know each other.
  init(host number: Int) {
    let own = Self.host(number)
    membership = Membership(host: own, boot: Self.boot(1), seed: UInt64(number))
    registry = Registry(host: own, boot: Self.boot(1), seed: UInt64(number))
    perform(registry.setHostRecord(Self.record(number), now: now))
    for other in 1...4 where other != number { perform(membership.add(Self.host(other), now: now)) }
    perform(membership.start(now: now))
    for other in 1...4 where other != number {
      perform(membership.heard(from: Self.host(other), boot: Self.boot(1), now: now))
    }
    perform(registry.synced(now: now))
    perform(registry.setNetworkStatus(Self.network(1), .stands, now: now))
    attach(vif: 1)
    perform(registry.markComplete(now: now))
    flush()
  }

  static func record(_ number: Int) -> HostRecord {
    HostRecord(
      name: required("a host name") { try HostName("host-\(number)") },
      vteps: [.v4(0xc000_0200 + UInt32(number))], gossipPort: 7677, underlayMTU: 1500, capabilities: [.kernelVXLAN],
      staticKey: [UInt8](repeating: 1, count: 32), ephemeralKey: [UInt8](repeating: 2, count: 32), release: "1")
  }

  // MARK: Inputs

  /// Frames of a sealed packet.
  mutating func take(_ frames: [GossipFrame], from host: HostID, boot: Boot) {
    perform(membership.heard(from: host, boot: boot, now: now))
    for frame in frames {
      perform(membership.receive(frame, from: host, boot: boot, now: now))
      perform(registry.receive(frame, from: host, now: now, verify: Self.verify))
    }
    flush()
  }

  mutating func hello(_ bytes: [UInt8], from host: HostID) {
    do {
      perform(try registry.hello(hostRecordBatch: bytes, from: host, now: now, verify: Self.verify))
      perform(membership.greeted(host, boot: registry.boot(of: host), now: now))
    } catch {
      _ = error.description
    }
  }

  mutating func respond(_ request: [UInt8], from host: HostID) -> [UInt8] {
    let (response, effects) = registry.syncRespond(
      request, from: host, now: now, sign: Self.sign, verify: Self.verify)
    perform(effects)
    return response
  }

  mutating func finish(_ response: [UInt8], from host: HostID) -> [UInt8]? {
    let (next, effects) = registry.syncFinish(response, from: host, now: now, sign: Self.sign, verify: Self.verify)
    perform(effects)
    return next
  }

  /// Time passes, and each deadline is kept, up to 64 of them.
  mutating func pass(_ duration: Duration) {
    let end = now + duration
    for _ in 0..<64 {
      guard let due = [membership.deadline, registry.deadline].compactMap({ $0 }).min(), due < end else { break }
      jump(to: max(due, now))
    }
    jump(to: end)
  }

  /// What is due is done at once, as after a pause of the whole host; afterwards nothing may be due any more, or an agent
  /// would never rest.
  mutating func jump(to time: Instant) {
    now = time
    perform(membership.advance(to: now))
    perform(membership.advance(to: now))
    require(membership.deadline.map { $0 > now } ?? true, "membership is due again at once")
    perform(registry.advance(to: now))
    flush()
    require(registry.deadline.map { $0 > now } ?? true, "the registry is due again at once")
  }

  mutating func answerProbe(_ choice: UInt8) {
    guard !probes.isEmpty else { return }
    let probe = probes.removeFirst()
    let outcomes: [Membership.TCPProbeOutcome] = [.agent, .kernel, .silent]
    perform(
      membership.tcpProbe(of: probe.host, sequence: probe.sequence, outcome: outcomes[Int(choice) % 3], now: now))
  }

  /// Something happens to a VIF here.
  mutating func local(_ input: inout FuzzInput) {
    let number = input.number(below: 3)
    let vif = "vif\(number).0"
    switch input.number(below: 6) {
    case 0: attach(vif: number)
    case 1: perform(registry.carrier(vif: vif, isUp: true, isChange: true, now: now))
    case 2: perform(registry.carrier(vif: vif, isUp: false, isChange: true, now: now))
    case 3:
      let ip = IPAddress.v4(0xc633_6400 + UInt32(input.byte()))
      perform(registry.frame(vif: vif, mac: Self.mac(input.number(below: 20)), ips: [ip], now: now))
    case 4: perform(registry.detach(vif: vif, now: now))
    default: perform(registry.removeNetworkStatus(Self.network(input.number(below: 3)), now: now))
    }
    flush()
  }

  /// Something happens to another host.
  mutating func setState(of host: HostID, _ input: inout FuzzInput) {
    perform(
      registry.hostState(
        host, MemberState(rawValue: input.byte() % 7), boot: Self.boot(1 + input.number(below: 3)), now: now))
  }

  // MARK: Effects

  private mutating func attach(vif number: Int) {
    perform(
      registry.attach(
        vif: "vif\(number).0", network: Self.network(1 + number % 2), isNetback: number != 2,
        mac: number == 0 ? nil : Self.mac(number), vm: "vm", now: now))
  }

  private mutating func flush() { perform(registry.flush(now: now, sign: Self.sign)) }

  private mutating func perform(_ effects: [Membership.Effect]) {
    for effect in effects {
      switch effect {
      case .send(let frames, _): Self.check(frames)
      case .probeTCP(let host, let sequence): if probes.count < 64 { probes.append((host, sequence)) }
      case .changed(let host, let boot, _, let state):
        perform(registry.hostState(host, state, boot: boot, now: now))
      case .rejected(let reason): _ = reason.description
      case .refuted, .ownBootSeen, .paused: break
      }
    }
  }

  private mutating func perform(_ effects: [Registry.Effect]) {
    for effect in effects {
      switch effect {
      case .send(let frames, _): Self.check(frames)
      case .advertise: Self.check([registry.advert(incarnation: 0)])
      case .hostChanged(let host):
        guard host != registry.host, let view = registry.hostView(host) else { break }
        perform(
          view.standing == .member
            ? membership.add(host, lastBoot: view.boot, now: now) : membership.remove(host, now: now))
      case .rejected(let rejection): _ = rejection.description
      case .sync(let host): _ = registry.syncRequest(to: host)
      case .bindingChanged, .floodChanged, .networkChanged, .localMAC, .poolRecordsChanged, .floorsChanged,
        .ownBootSeen, .event:
        break
      }
    }
  }

  /// Every frame fits a packet and reads back as it was.
  private static func check(_ frames: [GossipFrame]) {
    require(frames.allSatisfy { $0.encodedSize <= GossipPacket.maximumPlaintext }, "a frame fits no packet")
    let read = required("own frames are read") { try Outbox.pack(frames).flatMap { try GossipFrame.decodeAll($0) } }
    require(read == frames, "frames read back as they were sent")
  }
}
