import Membership
import Testing
import Wire

extension Simulation {
  // MARK: Datagrams

  mutating func send(_ frames: [GossipFrame], from source: Int, to target: Int) {
    var writer = ByteWriter()
    for frame in frames { frame.encode(into: &writer) }
    hosts[source].largestPacket = max(hosts[source].largestPacket, writer.count)
    guard let boot = hosts[source].keys[hosts[target].id] else {
      transmit(.who, from: source, to: target)
      return
    }
    transmit(.sealed(writer.bytes, receiverBoot: boot), from: source, to: target)
  }

  private mutating func transmit(_ payload: Datagram.Payload, from source: Int, to target: Int) {
    hosts[source].datagramsSent += 1
    if case .sealed(let bytes, _) = payload {
      hosts[source].bytesSent += bytes.count + GossipPacket.maximumSize - GossipPacket.maximumPlaintext
    }
    let datagram = Datagram(sender: source, senderBoot: hosts[source].boot, receiver: target, payload: payload)
    let copies = chance(conditions.duplication) ? 2 : 1
    for _ in 0..<copies where !cuts.contains([source, target]) && !chance(conditions.loss) {
      let time = now + delay()
      events.add(.deliver(datagram), at: time)
    }
  }

  mutating func deliver(_ datagram: Datagram) {
    let (source, target) = (datagram.sender, datagram.receiver)
    switch hosts[target].condition {
    case .crashed, .agentDown: return
    case .paused:
      if hosts[target].inbox.count < 500 { hosts[target].inbox.append(datagram) }
      return
    case .running: break
    }
    let sender = hosts[source].id
    switch datagram.payload {
    case .who:
      mark(datagram, [1])
      let isKnown = hosts[target].keys[sender] == datagram.senderBoot
      transmit(.hello(wantsReply: !isKnown), from: target, to: source)
    case .hello(let wantsReply):
      mark(datagram, [2])
      if let known = hosts[target].keys[sender], datagram.senderBoot < known { return }
      hosts[target].keys[sender] = datagram.senderBoot
      input(target) { node, now in node.greeted(by: sender, boot: datagram.senderBoot, now: now) }
      if wantsReply { transmit(.hello(wantsReply: false), from: target, to: source) }
    case .sealed(let bytes, let receiverBoot):
      guard receiverBoot == hosts[target].boot, hosts[target].keys[sender] == datagram.senderBoot else {
        transmit(.who, from: target, to: source)
        return
      }
      mark(datagram, bytes)
      do {
        let frames = try GossipFrame.decodeAll(bytes)
        input(target) { node, now in node.receive(frames, from: sender, boot: datagram.senderBoot, now: now) }
      } catch {
        Issue.record("a packet from \(source) to \(target) does not decode: \(error)")
      }
    }
  }

  // MARK: TCP

  mutating func openConnection(from source: Int, to host: HostID, sequence: UInt32) {
    let end = now + .milliseconds(1500)
    guard let target = index(of: host) else { return }
    // A lost SYN or answer is sent again after a second.
    var time = now + delay()
    if chance(conditions.loss) || chance(conditions.loss) { time = time + .seconds(1) }
    events.add(
      .connection(from: source, boot: hosts[source].boot, to: target, sequence: sequence, end: end), at: time)
  }

  mutating func connect(from source: Int, boot: Boot, to target: Int, sequence: UInt32, end: Instant) {
    var outcome = Membership.TCPProbeOutcome.silent
    var time = end
    if !isCut(source, target) {
      switch hosts[target].condition {
      case .running:
        outcome = .agent
        time = now + delay() + delay() + delay()
      case .agentDown:
        outcome = .kernel
        time = now + delay()
      case .paused: outcome = .kernel
      case .crashed: break
      }
    }
    events.add(.connected(source, boot: boot, of: hosts[target].id, sequence: sequence, outcome), at: max(now, time))
  }

  // MARK: Requests

  /// One request and its answer; it fails after 3 s if the other end is not there.
  mutating func request(_ bytes: [UInt8], from source: Int, to target: Int) {
    let time = now + delay() + delay() + delay()
    events.add(.request(from: source, boot: hosts[source].boot, to: target, bytes), at: time)
  }

  mutating func answer(from source: Int, boot: Boot, to target: Int, _ bytes: [UInt8]) {
    guard !isCut(source, target), hosts[target].condition == .running else {
      let wait: Duration = hosts[target].condition == .agentDown && !isCut(source, target) ? .zero : .seconds(3)
      events.add(.response(to: source, boot: boot, from: target, nil), at: now + wait)
      return
    }
    let (response, effects) = hosts[target].node.respond(to: bytes, from: hosts[source].id, now: now)
    perform(effects, of: target)
    let time = now + delay()
    events.add(.response(to: source, boot: boot, from: target, response), at: time)
  }

  // MARK: Chance

  private func isCut(_ a: Int, _ b: Int) -> Bool { cuts.contains([a, b]) || cuts.contains([b, a]) }

  private mutating func chance(_ perMille: Int) -> Bool {
    perMille > 0 && Int.random(in: 0..<1000, using: &generator) < perMille
  }

  private mutating func delay() -> Duration {
    let shortest = Int(conditions.shortestDelay / .microseconds(1))
    let longest = max(shortest, Int(conditions.longestDelay / .microseconds(1)))
    return .microseconds(Int.random(in: shortest...longest, using: &generator))
  }
}
