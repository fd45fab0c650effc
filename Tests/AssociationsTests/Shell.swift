import Wire

@testable import Associations

/// One core, and a shell that carries out what it asks for and keeps it.
struct Shell {
  static let host = HostID(high: 0, low: 100)
  static let boot = Boot(counter: 5, nonce: 55)
  static let local = VTEP.v4(0xc000_0201)
  static let peer = HostID(high: 0, low: 200)
  static let peerBoot = Boot(counter: 7, nonce: 77)
  static let remote = VTEP.v4(0xc633_6401)

  var core: Associations
  var now = Instant(nanoseconds: 1_000_000_000_000)
  /// The next answers to `install` and `switchOutbound`; then `done`.
  var installs: [InstallOutcome] = []
  var switches: [InstallOutcome] = []
  private(set) var carriedOut: [Effect] = []
  /// Whose keys the kernel was given, `burnt` ones included.
  private(set) var made: [Association] = []

  init(seed: UInt64 = 1, configuration: Associations.Configuration = Associations.Configuration()) {
    core = Associations(
      host: Self.host, boot: Self.boot, local: Self.local, seed: seed, configuration: configuration)
  }

  /// Started, with one peer in its epoch 1, to which nothing was said back yet.
  static func met(seed: UInt64 = 1, configuration: Associations.Configuration = Associations.Configuration()) -> Self {
    var shell = Self(seed: seed, configuration: configuration)
    shell.start()
    shell.meet()
    return shell
  }

  /// Keys stand in both directions, confirmed.
  static func standing(
    seed: UInt64 = 1, configuration: Associations.Configuration = Associations.Configuration()
  ) throws -> Self {
    var shell = met(seed: seed, configuration: configuration)
    shell.receive(.standing(epoch: 1, receiverEpoch: 1, spi: 5000))
    shell.receive(.sending(epoch: 1, receiverEpoch: 1, spi: shell.inbound.last?.spi))
    shell.forget()
    return shell
  }

  mutating func start() { perform(core.start(now: now)) }

  mutating func meet(
    _ host: HostID = Self.peer, boot: Boot = Self.peerBoot, epoch: UInt64 = 1, vtep: VTEP = Self.remote,
    isReachable: Bool = true
  ) {
    let peer = Peer(epoch: Epoch(boot: boot, number: epoch), vtep: vtep, isReachable: isReachable)
    perform(core.peer(host, peer, now: now))
  }

  mutating func forget(_ host: HostID) { perform(core.peer(host, nil, now: now)) }

  mutating func receive(_ frame: GossipFrame, from host: HostID = Self.peer, boot: Boot = Self.peerBoot) {
    perform(core.receive(frame, from: host, boot: boot, now: now))
  }

  mutating func lose(_ association: Association) { perform(core.lost(association, now: now)) }

  mutating func rekey() { perform(core.rekey(now: now)) }

  mutating func perform(_ effects: [Effect]) {
    for effect in effects {
      carriedOut.append(effect)
      switch effect {
      case .install(let association):
        let outcome = installs.isEmpty ? .done : installs.removeFirst()
        if outcome == .done || outcome == .burnt { made.append(association) }
        perform(core.installed(association, outcome, now: now))
      case .switchOutbound(let association):
        let outcome = switches.isEmpty ? .done : switches.removeFirst()
        if outcome == .done || outcome == .burnt { made.append(association) }
        perform(core.switched(association, outcome, now: now))
      default: break
      }
    }
  }

  /// Time passes, and the core is called whenever it asks to be.
  mutating func wait(_ duration: Duration) {
    let end = now + duration
    while let deadline = core.deadline, deadline <= end {
      now = max(now, deadline)
      perform(core.advance(to: now))
    }
    now = end
    perform(core.advance(to: now))
  }

  /// What was carried out so far is of no interest.
  mutating func forget() { carriedOut = [] }

  // MARK: What was carried out

  var drawn: [UInt64] { carriedOut.compactMap { if case .drawEpoch(let number) = $0 { number } else { nil } } }
  var installed: [Association] { carriedOut.compactMap { if case .install(let made) = $0 { made } else { nil } } }
  var switched: [Association] { carriedOut.compactMap { if case .switchOutbound(let made) = $0 { made } else { nil } } }
  var removed: [Association] { carriedOut.compactMap { if case .remove(let gone) = $0 { gone } else { nil } } }
  var events: [AssociationEvent] { carriedOut.compactMap { if case .event(let event) = $0 { event } else { nil } } }
  var sent: [GossipFrame] { carriedOut.compactMap { if case .send(let frame, _, _) = $0 { frame } else { nil } } }

  var offers: [GossipFrame] { sent.filter { if case .standing(1..., _, _) = $0 { true } else { false } } }
  var questions: [GossipFrame] { sent.filter { if case .standing(0, _, _) = $0 { true } else { false } } }
  var reports: [GossipFrame] { sent.filter { if case .sending = $0 { true } else { false } } }

  var inbound: [Association] { core.all.filter { $0.direction == .inbound } }
  var outbound: [Association] { core.all.filter { $0.direction == .outbound } }
}

extension SPI: ExpressibleByIntegerLiteral {
  package init(integerLiteral value: UInt32) {
    guard let spi = SPI(value) else { preconditionFailure("\(value) is reserved") }
    self = spi
  }
}
