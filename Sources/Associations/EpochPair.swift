import Wire

/// Which epochs the two keys of a pair of SAs come from. The own one is of this boot.
struct EpochPair: Hashable, Sendable {
  var own: UInt64
  var peer: Epoch

  /// A sender goes on to pairs in which no epoch is older than before, so it never comes back to what is older. Of two
  /// pairs of which neither is older it can use one at most.
  func isOlder(than other: Self) -> Bool { self != other && own <= other.own && peer <= other.peer }
}
