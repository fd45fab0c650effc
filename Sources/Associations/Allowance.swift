import Wire

/// How much of something may still happen: as many as `rate` at once, and no more than that in any second after
/// (the generic cell rate algorithm, ITU-T I.371).
struct Allowance: Sendable {
  private let share: Duration
  private var spentUntil = Instant(nanoseconds: 0)

  init(rate: Int) { share = Duration.seconds(1) / max(1, rate) }

  mutating func take(now: Instant) -> Bool {
    let start = max(spentUntil, now)
    guard start - now <= .seconds(1) - share else { return false }
    spentUntil = start + share
    return true
  }
}
