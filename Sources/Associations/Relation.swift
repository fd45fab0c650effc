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
  /// is ever set up, so these two stand for all names of keys that were used.
  var spent = SpentPairs()
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

  init(peer: Peer, configuration: Associations.Configuration) {
    self.peer = peer
    refusals = Backoff(first: configuration.retryInterval, longest: configuration.longestRetryInterval)
    allowance = Allowance(rate: configuration.framesPerSecond)
  }

  /// What policies for the peer's present address point to.
  var usableOutbound: OutboundAssociation? { outbound.flatMap { $0.isAbandoned ? nil : $0 } }

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
}
