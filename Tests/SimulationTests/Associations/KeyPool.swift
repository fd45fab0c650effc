import Associations
import Testing
import Wire

/// A pool of hosts with keys in virtual time: cores, kernels, frames and packets that are lost, late and out of order.
///
/// It checks as it goes: every sealed packet has a key and a number of its own, no key is installed twice, an outbound SA
/// is switched to only when the inbound one stands, at most four inbound SAs stand per pair, and no packet is lost from
/// one round trip after two hosts know each other, except by what the test breaks.
struct KeyPool {
  enum Event {
    case wake(Int)
    case frame(GossipFrame, from: Int, boot: Boot, to: Int, sealedFor: Boot)
    case record(KeyHost.Record, of: Int, to: Int, boot: Boot)
    case traffic
    case packet(SimulatedESP.Packet, from: Int, to: Int, sentAt: Instant)
    case action(Action)
  }

  /// What happens a while after its cause.
  enum Action {
    case greet(Int, to: Int, Boot)
    case noticeSilence(of: Int, at: Int, Boot)
    case noticeLoss(Association, at: Int, Boot)
    case membersAreKnown(Int, Boot)
    case rekey(Int, times: Int, every: Duration)
  }

  /// Of 1,000 SAs that the shell is asked to set up.
  struct Faults {
    var spiTaken = 0
    var refused = 0
    var burnt = 0
  }

  var now = Instant(nanoseconds: 1_000_000_000)
  var generator: SeededGenerator
  var conditions: NetworkConditions
  var faults = Faults()
  /// No kernel has refused anything, so keys are due one round trip after two hosts know each other.
  var isPunctual = true
  var events = EventQueue<Event>()
  var hosts: [KeyHost] = []
  var flows: [[Flow]] = []
  /// What goes from the first host to the second is lost.
  var cuts: Set<[Int]> = []
  var trace: [String] = []
  /// Violations, the first few.
  var failures: [String] = []
  let configuration: Associations.Configuration
  private var packetInterval: Duration

  // What was ever done with each key, by all hosts together.
  var installed: Set<KeyName> = []
  var switchedTo: Set<KeyName> = []
  var lastIV: [KeyName: UInt64] = [:]
  /// Inbound SAs that were taken away by other causes than rekeying.
  var destroyed: Set<KeyName> = []

  init(
    _ count: Int, seed: UInt64, conditions: NetworkConditions = .lan, packetInterval: Duration = .milliseconds(5),
    configuration: Associations.Configuration = Associations.Configuration()
  ) {
    generator = SeededGenerator(seed: seed)
    self.conditions = conditions
    self.configuration = configuration
    self.packetInterval = packetInterval
    for index in 0..<count {
      hosts.append(
        KeyHost(id: HostID(high: 0x5745_4654, low: UInt64(index)), vtep: .v4(0xc000_0200 + UInt32(index) + 1)))
    }
    flows = Array(repeating: Array(repeating: Flow(), count: count), count: count)
    events.add(.traffic, at: now)
  }

  /// All agents have run for a while and have keys.
  static func settled(
    _ count: Int, seed: UInt64, packetInterval: Duration = .milliseconds(5),
    configuration: Associations.Configuration = Associations.Configuration()
  ) -> Self {
    var pool = Self(count, seed: seed, packetInterval: packetInterval, configuration: configuration)
    for index in 0..<count { pool.start(index) }
    pool.run(for: .seconds(2))
    // What was lost before the first keys stood does not count.
    for source in pool.hosts.indices {
      for target in pool.hosts.indices { pool.flows[source][target].startCounting() }
    }
    return pool
  }

  func index(of host: HostID) -> Int { Int(truncatingIfNeeded: host.low) }

  mutating func chance(_ perMille: Int) -> Bool {
    perMille > 0 && Int.random(in: 0..<1000, using: &generator) < perMille
  }

  mutating func delay() -> Duration {
    let shortest = Int(conditions.shortestDelay / .microseconds(1))
    let longest = max(shortest, Int(conditions.longestDelay / .microseconds(1)))
    return .microseconds(Int.random(in: shortest...longest, using: &generator))
  }

  mutating func fail(_ line: String) {
    if failures.count < 5 { failures.append("\(text(now)): \(line)") }
    note("FAILURE \(line)")
  }

  mutating func note(_ line: String) { trace.append("\(text(now)) \(line)") }

  func text(_ time: Instant) -> String { "\(time.nanoseconds / 1000)us" }

  // MARK: Running

  mutating func run(for duration: Duration) {
    let end = now + duration
    while let time = events.nextTime, time <= end, let (time, event) = events.popFirst() {
      now = max(now, time)
      handle(event)
    }
    now = max(now, end)
  }

  /// Nothing happens any more for so long that all that is superseded has gone.
  mutating func quiet(for duration: Duration = .seconds(70)) {
    conditions = .lan
    packetInterval = .milliseconds(200)
    run(for: duration)
  }

  private mutating func handle(_ event: Event) {
    switch event {
    case .wake(let index):
      guard let due = hosts[index].core?.deadline, hosts[index].wakeAt == now else { return }
      hosts[index].wakeAt = nil
      input(index) { core, now in core.advance(to: now) }
      hosts[index].spins = hosts[index].core?.deadline == due ? hosts[index].spins + 1 : 0
      if hosts[index].spins > 3 { fail("host \(index) asks to be woken again and again for \(text(due))") }
    case .frame(let frame, let source, let boot, let target, let sealedFor):
      guard hosts[target].core != nil, hosts[target].boot == sealedFor else { return }
      let sender = hosts[source].id
      input(target) { core, now in core.receive(frame, from: sender, boot: boot, now: now) }
    case .record(let record, let owner, let target, let boot):
      guard hosts[target].boot == boot else { return }
      learn(record, of: owner, at: target)
    case .traffic:
      traffic()
      events.add(.traffic, at: now + packetInterval)
    case .packet(let packet, let source, let target, let sentAt):
      deliver(packet, from: source, to: target, sentAt: sentAt)
    case .action(let action): perform(action)
    }
  }

  private mutating func perform(_ action: Action) {
    switch action {
    case .greet(let source, let target, let boot):
      if hosts[target].core != nil {
        hosts[target].sessions[source] = max(boot, hosts[target].sessions[source] ?? boot)
      }
    case .noticeSilence(let silent, let index, let boot):
      guard hosts[silent].boot == boot, hosts[silent].core == nil else { return }
      setReachable(false, silent, at: index)
    case .noticeLoss(let association, let index, let boot):
      guard hosts[index].boot == boot else { return }
      input(index) { core, now in core.lost(association, now: now) }
    case .membersAreKnown(let index, let boot):
      guard hosts[index].boot == boot else { return }
      input(index) { core, now in core.membersAreKnown(now: now) }
    case .rekey(let index, let times, let interval):
      input(index) { core, now in core.rekey(now: now) }
      if times > 1 {
        events.add(.action(.rekey(index, times: times - 1, every: interval)), at: now + interval)
      }
    }
  }

  /// Gives a running core an input and carries out what it answers with.
  mutating func input(_ index: Int, _ body: (inout Associations, Instant) -> [Effect]) {
    guard hosts[index].core != nil else { return }
    var effects: [Effect] = []
    if var core = hosts[index].core {
      hosts[index].core = nil
      effects = body(&core, now)
      hosts[index].core = core
    }
    perform(effects, of: index)
    scheduleWake(index)
    check(index)
  }

  private mutating func scheduleWake(_ index: Int) {
    guard let deadline = hosts[index].core?.deadline else {
      hosts[index].wakeAt = nil
      return
    }
    // Timers of a real machine are a little late.
    let time = max(now, deadline) + .microseconds(Int.random(in: 0...300, using: &generator))
    if let planned = hosts[index].wakeAt, planned >= deadline, planned <= time { return }
    hosts[index].wakeAt = time
    events.add(.wake(index), at: time)
  }
}
