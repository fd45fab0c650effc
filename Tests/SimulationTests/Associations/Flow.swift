import Wire

/// The packets from one host to another, and from when on none of them may be lost.
struct Flow {
  var sent = 0
  var delivered = 0
  var lost = 0
  /// When the first was sent that came through since something last broke the path: from then on nothing may be lost.
  var standsSince: Instant?
  /// What was sent before this says nothing of what stands now.
  var brokenAt = Instant(nanoseconds: 0)
  /// Since when both hosts know each other's present epoch, as long as nothing has come through.
  var mutualSince: Instant?
  /// Only another epoch helps, and epochs are drawn once a second at most, or ever more seldom.
  var isExcused = false
  /// Frames between the two that were lost since then.
  var framesLost = 0

  mutating func delivered(sentAt: Instant) {
    delivered += 1
    guard sentAt > brokenAt else { return }
    standsSince = min(standsSince ?? sentAt, sentAt)
    isExcused = false
  }

  mutating func startCounting() {
    sent = 0
    delivered = 0
    lost = 0
  }

  /// Something other than rekeying destroyed an SA, or the host's place.
  mutating func breaks(now: Instant) {
    standsSince = nil
    brokenAt = now
    mutualSince = nil
    framesLost = 0
  }

  var stands: Bool { standsSince != nil }

  /// Until when the first SA has to stand: a round trip, and one repetition for each frame that was lost.
  func deadline(roundTrip: Duration) -> Instant? {
    guard let mutualSince, !isExcused else { return nil }
    var time = mutualSince + roundTrip + .milliseconds(1)
    var interval = Duration.milliseconds(200)
    for _ in 0..<framesLost {
      time = time + interval * 11 / 10 + roundTrip
      interval = min(interval * 2, .seconds(5))
    }
    return time
  }
}
