import Wire

/// Visits every member once in a round, in a new random order each round, so that the time to notice a silent one is
/// bounded (SWIM section 4.3).
struct ProbeOrder: Sendable {
  private var hosts: [HostID] = []
  private var position = 0

  /// Puts a new member at a random place among those still to come in this round.
  mutating func insert(_ host: HostID, using generator: inout SeededGenerator) {
    hosts.insert(host, at: Int.random(in: position...hosts.count, using: &generator))
  }

  mutating func remove(_ host: HostID) {
    guard let index = hosts.firstIndex(of: host) else { return }
    hosts.remove(at: index)
    if index < position { position -= 1 }
  }

  /// Begins a new round.
  mutating func restart(using generator: inout SeededGenerator) {
    hosts.shuffle(using: &generator)
    position = 0
  }

  /// The next member that fits; nil if none does. It looks at each member at most twice.
  mutating func next(using generator: inout SeededGenerator, where fits: (HostID) -> Bool) -> HostID? {
    for _ in 0..<hosts.count * 2 {
      if position == hosts.count { restart(using: &generator) }
      defer { position += 1 }
      if fits(hosts[position]) { return hosts[position] }
    }
    return nil
  }
}
