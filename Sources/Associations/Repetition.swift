import Wire

/// Something that is said again until it is answered, ever more seldom.
struct Repetition: Sendable {
  enum Content: Hashable, Sendable {
    /// The SA under this SPI stands.
    case offer(SPI)
    /// Which SA is in use? Any SPI of the peer's serves.
    case question(SPI)
  }

  let content: Content
  private(set) var interval: Duration
  private(set) var nextAt: Instant
  /// Something from the peer gave reason to repeat it at once; that happens one time only, so that two hosts never
  /// drive each other.
  var isHurried = false

  init(_ content: Content, first: Duration, now: Instant) {
    self.content = content
    interval = first
    nextAt = now
  }

  /// - Parameter spread: in thousandths of the interval, around 1,000.
  mutating func said(now: Instant, spread: Int, longest: Duration) {
    nextAt = now + interval * spread / 1000
    interval = min(interval * 2, longest)
  }
}
