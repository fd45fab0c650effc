import Wire

/// The time before which something that keeps failing is not tried again; it doubles with every failure.
struct Backoff: Sendable {
  private let first: Duration
  private let longest: Duration
  private var interval: Duration
  private var lastFailure: Instant?
  private(set) var notBefore: Instant?

  init(first: Duration, longest: Duration) {
    self.first = first
    self.longest = longest
    interval = first
  }

  /// After twice the longest time without a failure it starts anew.
  mutating func failed(now: Instant) {
    if let lastFailure, now - lastFailure > longest * 2 { interval = first }
    lastFailure = now
    notBefore = now + interval
    interval = min(interval * 2, longest)
  }

  /// Not before this, whatever else holds.
  mutating func wait(until time: Instant) { notBefore = max(notBefore ?? time, time) }

  mutating func succeeded() { self = Backoff(first: first, longest: longest) }
}
