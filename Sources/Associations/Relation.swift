import Wire

/// What this host keeps about its SAs with one other.
struct Relation: Sendable {
  var peer: Peer
  /// Those that stand, in the order in which they were installed.
  var inbound: [InboundAssociation] = []
  var outbound: OutboundAssociation?
  /// What the shell was asked to set up and has not answered yet.
  var installing: Association?
  var switching: Association?
  /// The newest pairs whose keys were given to the kernel, one per direction. Epochs only grow and only the newest pair
  /// is ever set up, so these two and all older pairs stand for the names of keys that were used.
  private(set) var spent = SpentPairs()
  /// What `spent` was before the SAs that were asked for last, for the case that nothing is installed.
  private var spentBefore = SpentPairs()
  /// The offer of the newest pair, or the question while it waits for a place.
  var repetition: Repetition?
  /// The SPI that the peer said last that it sends by, of those that stand.
  var inUse: SPI?
  var isWaiting = false
  var isEstablished = false
  /// SPIs tried in a row that were taken.
  var spisTaken = 0
  /// The kernel refuses inbound SAs.
  var refusals: Backoff
  var allowance: Allowance

  /// - Parameter spent: what was spent with the host before it went.
  init(peer: Peer, spent: SpentPairs, configuration: Associations.Configuration) {
    self.peer = peer
    self.spent = spent
    refusals = Backoff(first: configuration.retryInterval, longest: configuration.longestRetryInterval)
    allowance = Allowance(rate: configuration.framesPerSecond)
  }

  /// What policies for the peer's present address point to.
  var usableOutbound: OutboundAssociation? { outbound.flatMap { $0.isAbandoned ? nil : $0 } }

  /// Whether the key of this pair may have been given to the kernel. A host that went and comes back may tell an older
  /// epoch than the last one that was known of it.
  func isSpent(_ pair: EpochPair, _ direction: Association.Direction) -> Bool {
    spent[direction].map { pair == $0 || pair.isOlder(than: $0) } ?? false
  }

  mutating func spend(_ pair: EpochPair, _ direction: Association.Direction) {
    spentBefore[direction] = spent[direction]
    spent[direction] = pair
  }

  /// Nothing was installed: the key may be used another time.
  mutating func restore(_ direction: Association.Direction) { spent[direction] = spentBefore[direction] }

  /// The inbound SA of a pair, dead or not.
  func inbound(of pair: EpochPair) -> InboundAssociation? { inbound.first { $0.pair == pair } }

  /// After an inbound SA went: if it was the one in use, the peer is not known to send by any.
  mutating func forgetUseOfGone() {
    guard let spi = inUse, !inbound.contains(where: { $0.spi == spi }) else { return }
    inUse = nil
    isEstablished = false
  }

  /// All that stand.
  var all: [Association] { inbound.map(\.association) + (outbound.map { [$0.association] } ?? []) }
}

/// The newest pairs of epochs whose keys were given to the kernel.
struct SpentPairs: Hashable, Sendable {
  var inbound: EpochPair?
  var outbound: EpochPair?

  subscript(direction: Association.Direction) -> EpochPair? {
    get { direction == .inbound ? inbound : outbound }
    set { if direction == .inbound { inbound = newValue } else { outbound = newValue } }
  }
}
