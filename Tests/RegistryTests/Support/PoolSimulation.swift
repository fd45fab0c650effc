import Wire

@testable import Registry

/// Registries in virtual time over a network that loses, delays, repeats and reorders, by seed. Membership is played by
/// the script: it says who is alive. Datagrams pass through the real encoding; syncs are reliable, as TCP is.
struct PoolSimulation {
  struct Network {
    var loss = 0.0
    var duplication = 0.0
    var delay: ClosedRange<Int> = 1...5
  }

  private struct Delivery {
    var from: HostID
    var to: HostID
    var bytes: [UInt8]
  }

  var nodes: [HostID: Registry] = [:]
  var network = Network()
  var now = at(0)
  /// Pairs that cannot reach each other.
  var isCut: (HostID, HostID) -> Bool = { _, _ in false }
  private(set) var trace: [String] = []
  private(set) var datagrams = 0
  private(set) var syncs = 0
  private(set) var syncBytes = 0
  private(set) var rejections: [Rejection] = []
  /// By the time of arrival, in the order in which they were sent.
  private var queue: [Instant: [Delivery]] = [:]
  private var generator: SeededGenerator
  private var nextAdvert: [HostID: Instant] = [:]
  /// As each node last told.
  private var deadlines: [HostID: Instant] = [:]
  var configuration = Registry.Configuration()
  var keepsTrace = false

  init(count: UInt64, seed: UInt64, network: Network = Network(), configuration: Registry.Configuration = .init()) {
    generator = SeededGenerator(seed: seed)
    self.network = network
    self.configuration = configuration
    for number in 1...count { add(number) }
    for id in ids { for other in ids where other != id { tellState(of: other, to: id, .alive) } }
    for id in ids { run(id) { $0.synced(now: $1) + $0.markComplete(now: $1) } }
  }

  var ids: [HostID] { nodes.keys.sorted() }

  mutating func add(_ number: UInt64, boot: UInt64 = 1) {
    let id = hostID(number)
    var registry = Registry(
      host: id, boot: bootOf(boot), configuration: configuration, seed: generator.next())
    _ = registry.setHostRecord(record(number, boot: boot), now: now)
    nodes[id] = registry
    nextAdvert[id] = now + .milliseconds(Int.random(in: 0..<1000, using: &generator))
  }

  mutating func tellState(of other: HostID, to id: HostID, _ state: MemberState) {
    let boot = nodes[other]?.boot
    run(id) { $0.hostState(other, state, boot: boot, now: $1) }
  }

  /// One input and the end of its turn.
  mutating func run(_ id: HostID, _ body: (inout Registry, Instant) throws -> [Registry.Effect]) rethrows {
    guard var registry = nodes.removeValue(forKey: id) else { return }
    var effects: [Registry.Effect]
    do {
      effects = try body(&registry, now)
    } catch {
      nodes[id] = registry
      throw error
    }
    effects += registry.flush(now: now, sign: TestKey.sign(id))
    deadlines[id] = registry.deadline
    nodes[id] = registry
    perform(effects, of: id)
  }

  private mutating func perform(_ effects: [Registry.Effect], of id: HostID) {
    for effect in effects {
      if keepsTrace { trace.append("\(now.nanoseconds) \(id) \(effect)") }
      switch effect {
      case .send(let frames, let target): send(frames, from: id, to: target)
      case .advertise(let target):
        if let frame = nodes[id]?.advert(incarnation: 0) { send([frame], from: id, to: target) }
      case .sync(let target): sync(id, target)
      case .rejected(let rejection): rejections.append(rejection)
      default: break
      }
    }
  }

  private mutating func send(_ frames: [GossipFrame], from id: HostID, to target: HostID) {
    var writer = ByteWriter()
    var packets: [[UInt8]] = []
    for frame in frames {
      if writer.count > 0, writer.count + frame.encodedSize > GossipPacket.maximumPlaintext {
        packets.append(writer.bytes)
        writer = ByteWriter()
      }
      frame.encode(into: &writer)
    }
    packets.append(writer.bytes)
    for packet in packets {
      datagrams += 1
      let copies = Double.random(in: 0..<1, using: &generator) < network.duplication ? 2 : 1
      for _ in 0..<copies {
        let isLost = Double.random(in: 0..<1, using: &generator) < network.loss
        let delay = Int.random(in: network.delay, using: &generator)
        if isLost || isCut(id, target) || packet.count > GossipPacket.maximumPlaintext { continue }
        queue[now + .milliseconds(delay), default: []].append(Delivery(from: id, to: target, bytes: packet))
      }
    }
  }

  /// What the shell does over TLS.
  mutating func sync(_ id: HostID, _ target: HostID) {
    guard !isCut(id, target), var caller = nodes[id], var callee = nodes[target] else { return }
    syncs += 1
    var request: [UInt8]? = caller.syncRequest(to: target)
    var effects: (caller: [Registry.Effect], callee: [Registry.Effect]) = ([], [])
    for _ in 0..<32 {
      guard let bytes = request else { break }
      let answer = callee.syncRespond(
        bytes, from: id, now: now, sign: TestKey.sign(target), verify: TestKey.verify)
      let end = caller.syncFinish(
        answer.response, from: target, now: now, sign: TestKey.sign(id), verify: TestKey.verify)
      syncBytes += bytes.count + answer.response.count
      effects.caller += end.effects
      effects.callee += answer.effects
      request = end.next
    }
    nodes[id] = caller
    nodes[target] = callee
    run(id) { _, _ in effects.caller }
    run(target) { _, _ in effects.callee }
  }

  /// Lets time pass.
  mutating func wait(_ duration: Duration) {
    let end = now + duration
    while true {
      var next = end
      if let arrival = queue.keys.min(), arrival < next { next = arrival }
      for id in ids {
        if let deadline = deadlines[id], deadline < next { next = deadline }
        if let advert = nextAdvert[id], advert < next { next = advert }
      }
      now = max(now, next)
      deliver()
      for id in ids {
        if let deadline = deadlines[id], deadline <= now { run(id) { $0.advance(to: $1) } }
        if let due = nextAdvert[id], due <= now { advertise(id) }
      }
      if now >= end { return }
    }
  }

  /// As the probes do, once a second, to one host.
  private mutating func advertise(_ id: HostID) {
    nextAdvert[id] = now + .seconds(1)
    let others = ids.filter { $0 != id }
    if let target = others.randomElement(using: &generator), let frame = nodes[id]?.advert(incarnation: 0) {
      send([frame], from: id, to: target)
    }
  }

  private mutating func deliver() {
    let due = queue.keys.filter { $0 <= now }.sorted().flatMap { queue.removeValue(forKey: $0) ?? [] }
    for delivery in due {
      let frames = (try? GossipFrame.decodeAll(delivery.bytes)) ?? []
      run(delivery.to) { registry, now in
        frames.flatMap { registry.receive($0, from: delivery.from, now: now, verify: TestKey.verify) }
      }
    }
  }

  // MARK: Agreement

  /// What differs between two hosts, in words; nil if all agree.
  func disagreement(except gone: Set<HostID> = []) -> String? {
    let members = ids.filter { !gone.contains($0) }
    guard let first = members.first, let reference = nodes[first] else { return nil }
    for id in members {
      guard let node = nodes[id] else { continue }
      if node.poolHash != reference.poolHash { return "\(id) has other pool records than \(first)" }
      for owner in members where owner != id {
        let version = node.hostView(owner)?.version ?? 0
        if version != nodes[owner]?.ownVersion { return "\(id) has \(owner) up to \(version)" }
        if node.boot(of: owner) != nodes[owner]?.boot { return "\(id) has an old boot of \(owner)" }
      }
      for network in reference.index.networkIDs where node.owners(of: network) != reference.owners(of: network) {
        return "\(id) has other owners in \(network) than \(first)"
      }
      if node.index.networkIDs != reference.index.networkIDs { return "\(id) knows other networks than \(first)" }
    }
    return nil
  }

  /// How long it takes until all agree; nil if longer than `limit`.
  mutating func timeToAgree(limit: Duration, except gone: Set<HostID> = []) -> Duration? {
    let start = now
    while now - start <= limit {
      if disagreement(except: gone) == nil { return now - start }
      wait(.milliseconds(10))
    }
    return nil
  }
}
