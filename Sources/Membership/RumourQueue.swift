import Wire

/// Which hosts' states are news, and how often each was sent. Least sent first, then most recent (SWIM section 4.1).
/// It holds one entry per host at most, so it is bounded by the pool.
struct RumourQueue: Sendable {
  private struct Entry {
    var sent = 0
    var stamp: UInt64
    /// Who told it to us, and need not hear it again.
    var teller: HostID?
  }

  private var entries: [HostID: Entry] = [:]
  private var stamp: UInt64 = 0

  var isEmpty: Bool { entries.isEmpty }

  func contains(_ host: HostID) -> Bool { entries[host] != nil }

  mutating func insert(_ host: HostID, teller: HostID?) {
    stamp &+= 1
    entries[host] = Entry(stamp: stamp, teller: teller)
  }

  mutating func remove(_ host: HostID) { entries[host] = nil }

  /// Hosts whose state is to be told to `receiver`, at most `count`, with how often each was sent before. Each is
  /// counted as sent once more, and forgotten after `limit` times.
  mutating func take(_ count: Int, for receiver: HostID, limit: Int) -> [(host: HostID, sent: Int)] {
    guard count > 0, !entries.isEmpty else { return [] }
    let chosen = entries.filter { $0.key != receiver && $0.value.teller != receiver }
      .sorted { left, right in
        left.value.sent != right.value.sent ? left.value.sent < right.value.sent : left.value.stamp > right.value.stamp
      }
      .prefix(count)
      .map { (host: $0.key, sent: $0.value.sent) }
    for (host, sent) in chosen { entries[host]?.sent = sent + 1 }
    for (host, sent) in chosen where sent + 1 >= limit { entries[host] = nil }
    return chosen
  }

  /// Counts everything as sent once more, to nobody.
  mutating func age(limit: Int) {
    for host in entries.keys { entries[host]?.sent += 1 }
    entries = entries.filter { $0.value.sent < limit }
  }
}
