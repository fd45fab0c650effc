import Wire

/// An inbound SA that stands.
struct InboundAssociation: Sendable {
  var association: Association
  /// nil for an adopted one, which is older than every pair of this boot.
  var pair: EpochPair?
  /// The peer said that it sends by it.
  var isConfirmed = false
  /// Since when the peer is known never to send by it any more.
  private(set) var deadSince: Instant?
  /// From when on a new SA may have its place.
  private(set) var freeAt: Instant?

  init(_ association: Association, pair: EpochPair?) {
    self.association = association
    self.pair = pair
  }

  var spi: SPI { association.spi }
  var isDead: Bool { deadSince != nil }

  /// Death is final: of its time only the first word counts.
  mutating func die(now: Instant, freeAt: Instant) {
    deadSince = deadSince ?? now
    self.freeAt = min(self.freeAt ?? freeAt, freeAt)
  }

  /// Whether the peer, at these epochs (of its own and of this host), will never move to it.
  func isOvertaken(own: UInt64, peer: Epoch) -> Bool {
    guard let pair else { return true }
    return pair.own < own || pair.peer < peer
  }

  /// Whether the peer cannot have come from `other` to this one.
  func isOlder(than other: Self) -> Bool {
    guard let theirs = other.pair else { return false }
    guard let pair else { return true }
    return pair.isOlder(than: theirs)
  }
}
