import Wire

/// All that a host knows of the pool: what each host says of itself, and the records that outlive their writers.
///
/// A value without clock, socket or thread: each input returns what is to be done. After the inputs of a turn the
/// shell calls `flush`, which turns what changed here into signed batches and addresses them; when `deadline` has
/// come it calls `advance`, and `flush` after it.
package struct Registry: Sendable {
  package let host: HostID
  package let boot: Boot
  package let configuration: Configuration

  var own: OwnStatements
  /// This host's statements of an earlier boot, as peers hold them; used until `synced`.
  var previousOwn: BootLedger?
  var ledgers: [HostID: HostLedger] = [:]
  var pool = PoolStore()
  var index = BindingIndex()
  var statuses = StatusIndex()
  var local: LocalClaims
  var standings: [NetworkID: NetworkStanding] = [:]
  var replication: Replication
  var generator: SeededGenerator
  /// Statements that say that something is gone, in the order in which they came, to be forgotten in time.
  var fading = FadingStatements()
  var nextTick: Instant?
  var nextSync: Instant?
  /// What the input at hand caused so far.
  var effects: [Effect] = []

  /// How often slow things (silence, retention) are looked at.
  static let tick: Duration = .seconds(5)
  /// Counters, versions and sequences that run ahead of the known ones by more are refused.
  static let leap: UInt64 = 1 << 32

  package init(host: HostID, boot: Boot, configuration: Configuration = Configuration(), seed: UInt64) {
    self.host = host
    self.boot = boot
    self.configuration = configuration
    own = OwnStatements(owner: host, boot: boot)
    local = LocalClaims(host: host, configuration: configuration)
    replication = Replication(configuration: configuration)
    generator = SeededGenerator(seed: seed)
  }

  mutating func takeEffects() -> [Effect] {
    defer { effects = [] }
    return effects
  }
}

/// Signs bytes with this host's identity key.
package typealias Sign = (_ message: [UInt8]) -> [UInt8]

/// Whether `signature` over `message` is the named host's. `certificate` is what the pool's records hold for it (or, for
/// the host's own admission, what that record brings). For pool records the answer must not depend on whether the
/// author left or was evicted since: what it wrote before stays in force.
package typealias Verify = (
  _ author: HostID, _ certificate: [UInt8]?, _ message: [UInt8], _ signature: [UInt8]
) -> Bool
