import Wire

/// A token bucket per key: at most `burst` at once and one more each `interval`. It forgets keys that are full again,
/// and refuses new keys while `capacity` are remembered, so a flood of forged senders costs no memory.
struct RateLimit<Key: Hashable> {
  private let burst: Int
  private let interval: Duration
  private let capacity: Int
  private var buckets: [Key: (left: Int, since: Instant)] = [:]
  /// When it last looked for keys that are full again. In a flood once an interval must do, as it looks at every key.
  private var swept: Instant?
  private(set) var sweeps = 0

  init(burst: Int, interval: Duration, capacity: Int = 4096) {
    self.burst = burst
    self.interval = interval
    self.capacity = capacity
  }

  mutating func allows(_ key: Key, now: Instant) -> Bool {
    if let bucket = buckets[key] {
      let (left, since) = refilled(bucket, now: now)
      buckets[key] = (max(0, left - 1), since)
      return left > 0
    }
    if buckets.count >= capacity {
      guard swept.map({ now - $0 >= interval }) ?? true else { return false }
      swept = now
      sweeps += 1
      buckets = buckets.filter { refilled($0.value, now: now).left < burst }
      guard buckets.count < capacity else { return false }
    }
    buckets[key] = (burst - 1, now)
    return true
  }

  private func refilled(_ bucket: (left: Int, since: Instant), now: Instant) -> (left: Int, since: Instant) {
    let gained = Int((now - bucket.since) / interval)
    guard gained > 0 else { return bucket }
    return (min(burst, bucket.left + gained), now)
  }
}
