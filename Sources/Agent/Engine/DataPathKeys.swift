import Associations
import Trust
import Wire

/// This host's keys of the data path: the core that says which SAs stand, and the private key of its present epoch.
struct DataPathKeys {
  var core: Associations
  private(set) var epochKey = EpochKey()
  /// What an earlier run left is known.
  var haveAdopted = false
  /// Where hosts were that went for good before that: nothing that was left of them is taken up.
  var leftAddresses: Set<VTEP> = []
  /// Nothing tells of what others change, as monitors broke and could not be made anew.
  var lacksMonitors = false
  /// What the core wants said, in order. It goes out behind the statements of the turn, so that whoever reads of an SA of
  /// a new epoch knows the epoch.
  var frames: [(host: HostID, boot: Boot, frame: GossipFrame)] = []
  /// Which host has an underlay address, as far as several say that they do.
  private(set) var holders: [VTEP: HostID] = [:]
  /// Hosts that say so of another's, by whose: they get keys once that one has left it.
  var rivals: [HostID: HostID] = [:]
  /// Epochs whose public key is of no use.
  var unusable: [HostID: Epoch] = [:]
  /// Hosts that answer and with which keys do not stand in both directions, and since when.
  private var awaited: [HostID: Instant] = [:]
  /// Those of them of which people are told.
  private(set) var late: Set<HostID> = []

  /// How long keys may take before people are told.
  private static let patience: Duration = .seconds(3)

  init(core: Associations) { self.core = core }

  /// A host that answers has this address, and none that it had before.
  mutating func hold(_ vtep: VTEP, _ host: HostID) {
    if holders[vtep] == host { return }
    releaseAddresses(of: host)
    holders[vtep] = host
  }

  mutating func forget(_ host: HostID) {
    releaseAddresses(of: host)
    rivals[host] = nil
    unusable[host] = nil
  }

  private mutating func releaseAddresses(of host: HostID) { holders = holders.filter { $0.value != host } }

  mutating func draw() { epochKey = EpochKey() }

  // MARK: Waiting

  mutating func await(_ host: HostID, now: Instant) {
    if awaited[host] == nil { awaited[host] = now }
  }

  /// The host's keys stand, or it has none to wait for.
  ///
  /// - Returns: whether it was waited for.
  mutating func came(_ host: HostID) -> Bool {
    late.remove(host)
    return awaited.removeValue(forKey: host) != nil
  }

  /// Whether some keys are on their way and it is too early to tell people.
  var isWaiting: Bool { awaited.count > late.count }

  var deadline: Instant? {
    let first = awaited.filter { !late.contains($0.key) }.values.min().map { $0 + Self.patience }
    return [core.deadline, first].compactMap { $0 }.min()
  }

  /// - Returns: whether there is one more to tell of.
  mutating func markLate(now: Instant) -> Bool {
    let over = awaited.filter { $0.value + Self.patience <= now }.keys.filter { !late.contains($0) }
    late.formUnion(over)
    return !over.isEmpty
  }
}
