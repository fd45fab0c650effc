import Wire

/// The life of the security associations of the data path, as a value without clock, socket, kernel or key: which SAs
/// are installed, offered, switched to and retired, and when this host draws a new epoch.
///
/// Every input takes the time and gives effects, which the shell carries out in their order; `install` and
/// `switchOutbound` it answers at once. It calls `advance(to:)` when `deadline` is reached and asks for the deadline again
/// after every input. Keys are named, never held: the same name is given to `install` or `switchOutbound` again only if
/// nothing was installed under it. Hosts enter by `peer(_:_:now:)` alone, so nothing that a peer sends makes this value
/// grow.
package struct Associations: Sendable {
  package let host: HostID
  package let boot: Boot
  package let configuration: Configuration
  /// Where this host's tunnels end.
  package internal(set) var local: VTEP

  /// No epoch was drawn since `local` changed: others may know the present one with the old address, so nothing new is
  /// set up under it.
  var isAwaitingEpoch = false
  var generator: SeededGenerator
  /// The number of the own epoch; 0 before the start.
  var number: UInt64 = 0
  var drawnAt: Instant?
  /// When the next epoch is due by time.
  var rekeyAt: Instant?
  /// An epoch that has to be drawn but not yet.
  var pendingRekey: (at: Instant, reason: RekeyReason)?

  var relations: [HostID: Relation] = [:]
  /// The keys of `relations` in order, so that no choice depends on how a dictionary is laid out.
  var roster: [HostID] = []
  /// Pairs that were spent with hosts that went in the present epoch: should one come back, its keys are not used again.
  var spentWithGone: [HostID: SpentPairs] = [:]
  /// For hosts with which SAs had to be repaired by new epochs.
  var repairs: [HostID: Backoff] = [:]
  /// Adopted SAs of addresses that belong to no known host.
  var strangers: [AdoptedAssociation] = []
  /// When those go.
  var strangersEnd: Instant?

  /// - Parameter seed: for SPIs and jitter; the same seed and inputs give the same effects.
  package init(
    host: HostID, boot: Boot, local: VTEP, seed: UInt64, configuration: Configuration = Configuration()
  ) {
    self.host = host
    self.boot = boot
    self.local = local
    self.configuration = configuration
    generator = SeededGenerator(seed: seed)
  }

  /// Draws the first epoch. SAs that an earlier run left may be adopted before or after.
  package mutating func start(now: Instant) -> [Effect] {
    guard number == 0 else { return [] }
    return draw(.start, now: now)
  }

  var isStarted: Bool { number > 0 }

  /// Names the newest pair with a host; nil as long as one end has no epoch.
  func currentPair(with peer: Peer) -> EpochPair? {
    guard isStarted, !isAwaitingEpoch, peer.epoch.number > 0 else { return nil }
    return EpochPair(own: number, peer: peer.epoch)
  }

  func keyName(_ direction: Association.Direction, _ pair: EpochPair, with peer: HostID) -> KeyName {
    let own = Epoch(boot: boot, number: pair.own)
    return switch direction {
    case .inbound: KeyName(sender: peer, senderEpoch: pair.peer, receiver: host, receiverEpoch: own)
    case .outbound: KeyName(sender: host, senderEpoch: own, receiver: peer, receiverEpoch: pair.peer)
    }
  }

  /// A number of thousandths around 1,000.
  mutating func spread(_ thousandths: Int) -> Int {
    let width = min(max(0, thousandths), 900)
    return Int.random(in: 1000 - width...1000 + width, using: &generator)
  }
}
