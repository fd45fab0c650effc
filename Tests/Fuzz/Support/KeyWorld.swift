import Wire

@testable import Associations

/// The core of the data path's keys as the agent drives it, over a kernel that is a table of SAs. Every answer, every
/// frame and the clock come from the input. A value: each input begins with a copy of the same world.
struct KeyWorld {
  /// How the kernel finds an SA (RFC 4301 section 4.4.2.1).
  struct Place: Hashable {
    var destination: VTEP
    var spi: SPI

    init(_ association: Association) {
      destination = association.destination
      spi = association.spi
    }
  }

  static let own = World.host(1)
  static let boot = World.boot(9)
  static let local = VTEP.v4(0xc000_0201)
  /// Nobody can be told of more hosts than the pool has.
  static let hosts = (1...5).map(World.host)

  private(set) var core: Associations
  private(set) var now = Instant(nanoseconds: 1_000_000_000)
  /// What stands in the kernel.
  private(set) var kernel: [Place: Association] = [:]
  /// Keys that were given to it.
  private var spent: Set<KeyName> = []
  /// What the kernel answers next; afterwards it does what it is asked.
  private var outcomes: [InstallOutcome] = []
  /// Associations that it was asked for, so that answers can come when nobody waits for them.
  private var asked: [Association] = []
  /// Frames and requests since the last input.
  private var effects = 0
  private var adopted = 0

  init() {
    core = Associations(host: Self.own, boot: Self.boot, local: Self.local, seed: 1)
    perform(core.start(now: now))
  }

  // MARK: Inputs

  /// Frames of a sealed packet.
  mutating func take(_ frames: [GossipFrame], from host: HostID, boot: Boot) {
    for frame in frames { perform(core.receive(frame, from: host, boot: boot, now: now)) }
    check()
  }

  /// What a record tells of another host; nil: it is gone.
  mutating func setPeer(_ host: HostID, _ peer: Peer?) {
    perform(core.peer(host, peer, now: now))
    check()
  }

  mutating func move(to address: VTEP) {
    perform(core.localAddress(address, now: now))
    check()
  }

  /// An SA of an earlier run is found; a kernel has one only with an SPI and an address.
  mutating func adopt(_ found: AdoptedAssociation) {
    let association = found.association
    guard kernel[Place(association)] == nil else { return }
    kernel[Place(association)] = association
    adopted += 1
    perform(core.adopt([found], now: now))
    check()
  }

  mutating func knowMembers() {
    perform(core.membersAreKnown(now: now))
    check()
  }

  mutating func rekey() {
    perform(core.rekey(now: now))
    check()
  }

  /// One of those that stand has carried so many packets.
  mutating func count(packets: UInt64, by index: Int) {
    guard let association = standing(index) else { return }
    perform(core.sent(packets: packets, by: association, now: now))
    check()
  }

  /// Somebody removes an SA by hand, or changes it: then the core has to have it removed.
  mutating func lose(_ index: Int, isGone: Bool) {
    guard let association = standing(index) else { return }
    if isGone { kernel[Place(association)] = nil }
    perform(core.lost(association, now: now))
    // A notice that comes twice says nothing new.
    perform(core.lost(association, now: now))
    check()
  }

  mutating func prepare(outcomes: [InstallOutcome]) { self.outcomes = outcomes }

  /// An answer for which nobody waits any more.
  mutating func repeatAnswer(_ index: Int, _ outcome: InstallOutcome) {
    guard !asked.isEmpty else { return }
    let association = asked[index % asked.count]
    guard kernel[Place(association)] == nil else { return }
    perform(
      association.direction == .inbound
        ? core.installed(association, outcome, now: now) : core.switched(association, outcome, now: now))
    check()
  }

  /// Time passes, and each deadline is kept, up to 64 of them.
  mutating func pass(_ duration: Duration) {
    let end = now + duration
    for _ in 0..<64 {
      guard let due = core.deadline, due < end else { break }
      advance(to: max(due, now))
    }
    advance(to: end)
  }

  private mutating func advance(to time: Instant) {
    now = time
    perform(core.advance(to: now))
    require(core.deadline.map { $0 > now } ?? true, "the core is due again at once")
    check()
  }

  /// An SA that stands, by a number of the input.
  func standing(_ index: Int) -> Association? {
    let all = core.all
    return all.isEmpty ? nil : all[index % all.count]
  }

  // MARK: Effects

  private mutating func perform(_ wanted: [Effect]) {
    for effect in wanted {
      effects += 1
      require(effects < 1000, "one input has no end of effects")
      switch effect {
      case .drawEpoch(let number): require(number == core.epoch.number, "an epoch is drawn for later")
      case .install(let association):
        require(association.direction == .inbound, "an outbound SA is installed without being used")
        let outcome = make(association)
        perform(core.installed(association, outcome, now: now))
      case .switchOutbound(let association):
        require(association.direction == .outbound, "an inbound SA is sent by")
        let outcome = make(association)
        perform(core.switched(association, outcome, now: now))
      case .remove(let association): kernel[Place(association)] = nil
      case .send(let frame, let host, _): check(frame, to: host)
      case .event: break
      }
    }
  }

  /// The kernel's answer. It gives nobody's place away.
  private mutating func make(_ association: Association) -> InstallOutcome {
    guard let host = association.peer, let key = association.key, let peer = core.relations[host]?.peer else {
      fatalError("an SA is made for nobody")
    }
    let isInbound = association.direction == .inbound
    let (own, other) = isInbound ? (key.receiverEpoch, key.senderEpoch) : (key.senderEpoch, key.receiverEpoch)
    // A private key is forgotten as soon as the next one is drawn.
    guard own == core.epoch, other == peer.epoch else { return .refused }
    require(
      association.local == core.local && association.remote == peer.vtep, "an SA ends elsewhere than its hosts do")
    require(!spent.contains(key), "a key is given to the kernel twice")
    asked = asked.suffix(15) + [association]
    guard kernel[Place(association)] == nil else { return .spiTaken }
    let outcome = outcomes.popLast() ?? .done
    if outcome == .done || outcome == .burnt {
      spent.insert(key)
      kernel[Place(association)] = association
    }
    return outcome
  }

  private func check(_ frame: GossipFrame, to host: HostID) {
    require(host != core.host && core.relations[host] != nil, "a frame goes to a host that is no peer")
    var writer = ByteWriter()
    frame.encode(into: &writer)
    require(try GossipFrame.decodeAll(writer.bytes) == [frame], "a frame reads back as it was sent")
  }

  // MARK: What always holds

  private mutating func check() {
    effects = 0
    require(Set(core.all.map(Place.init)) == Set(kernel.keys), "what stands in the kernel is what the core knows")
    require(core.all.count == kernel.count, "two SAs have one place")
    for host in core.roster {
      let own = core.all.filter { $0.peer == host && $0.key != nil }
      require(own.count { $0.direction == .inbound } <= 4, "more than four SAs wait for what one host sends")
      require(core.all.count { $0.peer == host && $0.direction == .outbound } <= 1, "a host is sent to by two SAs")
      if let spi = core.outboundSPI(to: host), let vtep = core.relations[host]?.peer.vtep {
        require(
          core.all.contains { $0.peer == host && $0.spi == spi && $0.local == core.local && $0.remote == vtep },
          "a host is sent to by an SA for another address")
      }
    }
    require(core.roster == core.relations.keys.sorted(), "the roster is the hosts")
    let most = Self.hosts.count - 1
    require(
      core.relations.count <= most && core.repairs.count <= most && core.spentWithGone.count <= most,
      "more is kept than there are hosts")
    require(core.all.count <= 5 * most + adopted, "more SAs are kept than there may be")
  }
}
