import Membership
import Testing
import Wire

/// Hosts of a pool in virtual time. Everything that happens follows from the seed: the same seed and script give the
/// same trace.
///
/// Hosts are named by index. Frames pass through their real encoding; a packet opens only where both ends know each
/// other's boot, else `who` and `hello` go to and fro as between real agents.
struct Simulation<Node: SimulatedNode> {
  enum Event {
    case deliver(Datagram)
    case wake(Int)
    case connection(from: Int, boot: Boot, to: Int, sequence: UInt32, end: Instant)
    case connected(Int, boot: Boot, of: HostID, sequence: UInt32, Membership.TCPProbeOutcome)
    case request(from: Int, boot: Boot, to: Int, [UInt8])
    case response(to: Int, boot: Boot, from: Int, [UInt8]?)
  }

  var now = Instant(nanoseconds: 1_000_000_000)
  var generator: SeededGenerator
  var conditions: NetworkConditions
  var hosts: [SimulatedHost<Node>] = []
  var events = EventQueue<Event>()
  /// One-way cuts: what goes from the first to the second host is lost.
  var cuts: Set<[Int]> = []
  private(set) var trace: [String] = []
  /// A hash over every datagram that was delivered, its time and its ends.
  private(set) var fingerprint: UInt64 = 0xcbf2_9ce4_8422_2325
  private let make: (_ host: HostID, _ boot: Boot, _ seed: UInt64) -> Node

  /// - Parameter make: the node of one run of one host.
  init(
    _ count: Int, seed: UInt64, conditions: NetworkConditions = .lan,
    make: @escaping (_ host: HostID, _ boot: Boot, _ seed: UInt64) -> Node
  ) {
    generator = SeededGenerator(seed: seed)
    self.conditions = conditions
    self.make = make
    for _ in 0..<count { addHost() }
  }

  static func id(_ index: Int) -> HostID { HostID(high: 0x5745_4654, low: UInt64(index)) }

  func index(of host: HostID) -> Int? {
    let index = Int(truncatingIfNeeded: host.low)
    return host == Self.id(index) && hosts.indices.contains(index) ? index : nil
  }

  // MARK: Running

  mutating func run(for duration: Duration) { run(until: now + duration) }

  mutating func run(until end: Instant) {
    while let time = events.nextTime, time <= end, let (time, event) = events.popFirst() {
      now = max(now, time)
      handle(event)
    }
    now = max(now, end)
  }

  /// Runs until `condition` holds, looking every 50 ms; nil if it never does within `limit`.
  mutating func run(atMost limit: Duration, until condition: (Self) -> Bool) -> Duration? {
    let start = now
    while !condition(self) {
      if now - start >= limit { return nil }
      run(for: .milliseconds(50))
    }
    return now - start
  }

  private mutating func handle(_ event: Event) {
    switch event {
    case .deliver(let datagram): deliver(datagram)
    case .wake(let index):
      guard hosts[index].condition == .running, hosts[index].wakeAt == now else { return }
      hosts[index].wakeAt = nil
      let due = hosts[index].node.deadline
      let effects = hosts[index].node.advance(to: now)
      hosts[index].spins = hosts[index].node.deadline == due && due != nil ? hosts[index].spins + 1 : 0
      if hosts[index].spins > 100 { Issue.record("host \(index) asks to be woken again and again at \(text(now))") }
      perform(effects, of: index)
    case .connection(let source, let boot, let target, let sequence, let end):
      connect(from: source, boot: boot, to: target, sequence: sequence, end: end)
    case .connected(let index, let boot, let target, let sequence, let outcome):
      guard hosts[index].condition == .running, hosts[index].boot == boot else { return }
      perform(hosts[index].node.tcpProbe(of: target, sequence: sequence, outcome: outcome, now: now), of: index)
    case .request(let source, let boot, let target, let bytes):
      answer(from: source, boot: boot, to: target, bytes)
    case .response(let index, let boot, let source, let bytes):
      guard hosts[index].condition == .running, hosts[index].boot == boot else { return }
      perform(hosts[index].node.receive(response: bytes, from: hosts[source].id, now: now), of: index)
    }
  }

  /// Gives a running node an input and carries out what it answers with.
  mutating func input(_ index: Int, _ body: (inout Node, Instant) -> [NodeEffect]) {
    guard hosts[index].condition == .running else { return }
    let effects = body(&hosts[index].node, now)
    perform(effects, of: index)
  }

  mutating func perform(_ effects: [NodeEffect], of index: Int) {
    for effect in effects {
      switch effect {
      case .send(let frames, let to):
        if let target = self.index(of: to) { send(frames, from: index, to: target) }
      case .probeTCP(let host, let sequence): openConnection(from: index, to: host, sequence: sequence)
      case .request(let bytes, let to):
        if let target = self.index(of: to) { request(bytes, from: index, to: target) }
      case .note(let line): note("\(index): \(line)")
      }
    }
    scheduleWake(index)
  }

  mutating func scheduleWake(_ index: Int) {
    guard let deadline = hosts[index].node.deadline else {
      hosts[index].wakeAt = nil
      return
    }
    // Timers of a real machine are a little late.
    let time = max(now, deadline) + .microseconds(Int.random(in: 0...300, using: &generator))
    if let planned = hosts[index].wakeAt, planned >= deadline, planned <= time { return }
    hosts[index].wakeAt = time
    events.add(.wake(index), at: time)
  }

  mutating func note(_ line: String) { trace.append("\(text(now)) \(line)") }

  mutating func mark(_ datagram: Datagram, _ bytes: [UInt8]) {
    func mix(_ value: UInt64) { fingerprint = (fingerprint ^ value) &* 0x100_0000_01b3 }
    mix(now.nanoseconds)
    mix(UInt64(datagram.sender) << 32 | UInt64(datagram.receiver))
    for byte in bytes { mix(UInt64(byte)) }
  }

  private func text(_ time: Instant) -> String { "\(time.nanoseconds / 1000)us" }

  // MARK: Hosts

  /// One more host of the pool, off.
  @discardableResult mutating func addHost() -> Int {
    let id = Self.id(hosts.count)
    let boot = Boot(counter: 0, nonce: 0)
    hosts.append(SimulatedHost(id: id, boot: boot, node: make(id, boot, 0)))
    return hosts.count - 1
  }

  /// Starts the agent in a new boot. It knows all hosts there are by the pool's records.
  mutating func start(_ index: Int) {
    let boot = Boot(counter: hosts[index].boot.counter + 1, nonce: generator.next())
    hosts[index].boot = boot
    hosts[index].node = make(hosts[index].id, boot, generator.next())
    hosts[index].condition = .running
    hosts[index].keys = [:]
    hosts[index].inbox = []
    hosts[index].wakeAt = nil
    note("start \(index) in boot \(boot.counter)")
    let peers = hosts.map(\.id).filter { $0 != Self.id(index) }
    input(index) { node, now in node.start(peers: peers, now: now) }
  }

  mutating func startAll() { for index in hosts.indices { start(index) } }

  /// Admits a new host to the pool and starts it.
  mutating func join() -> Int {
    let index = addHost()
    for other in hosts.indices where other != index {
      input(other) { node, now in node.add(Self.id(index), now: now) }
    }
    start(index)
    return index
  }

  mutating func crash(_ index: Int) { stop(index, .crashed) }

  /// Ends the agent; the kernel stays.
  mutating func kill(_ index: Int) { stop(index, .agentDown) }

  mutating func pause(_ index: Int) { stop(index, .paused) }

  mutating func resume(_ index: Int) {
    note("resume \(index)")
    hosts[index].condition = .running
    let kept = hosts[index].inbox
    hosts[index].inbox = []
    for datagram in kept { deliver(datagram) }
    scheduleWake(index)
  }

  private mutating func stop(_ index: Int, _ condition: SimulatedHost<Node>.Condition) {
    note("\(condition) \(index)")
    hosts[index].condition = condition
    hosts[index].wakeAt = nil
  }

  /// Cuts everything between two groups, both ways.
  mutating func partition(_ left: [Int], _ right: [Int]) {
    note("partition \(left) | \(right)")
    for a in left { for b in right { cuts.formUnion([[a, b], [b, a]]) } }
  }

  mutating func cut(from: Int, to: Int) {
    note("cut \(from) to \(to)")
    cuts.insert([from, to])
  }

  mutating func heal() {
    note("heal")
    cuts = []
  }
}

extension Simulation: CustomTestStringConvertible {
  var testDescription: String { "simulation of \(hosts.count) hosts" }
}
