import DataPath
import Wire

/// By how much the counts of what user space dropped have grown lately. Counts from long ago are no trouble of today.
struct DropWatch {
  private struct Mark {
    var at: Instant
    var counts: [DropReason: UInt64]
    var overflows: UInt64
    var taps: [VNI: UInt64]
  }

  /// Two, so that there is always one that is about an hour old.
  private var marks: [Mark] = []
  private static let interval: Duration = .seconds(1800)

  /// Called now and then, at least twice an hour for a true answer.
  ///
  /// - Parameter taps: what overflowed before each TAP. It may have counted for an earlier run of the agent.
  mutating func note(
    _ counts: [DropReason: UInt64], overflows: UInt64, taps: [VNI: UInt64], now: Instant
  ) {
    if let last = marks.last, now - last.at < Self.interval { return }
    marks.append(Mark(at: now, counts: counts, overflows: overflows, taps: taps))
    if marks.count > 2 { marks.removeFirst() }
  }

  /// Since half an hour to an hour ago, or since the start.
  func growth(_ reason: DropReason, _ count: UInt64) -> UInt64 {
    Self.difference(count, marks.first?.counts[reason] ?? 0)
  }

  func overflowGrowth(_ count: UInt64) -> UInt64 { Self.difference(count, marks.first?.overflows ?? 0) }

  func growth(ofTAPs counts: [VNI: UInt64]) -> UInt64 {
    counts.reduce(0) { $0 + Self.difference($1.value, marks.first?.taps[$1.key] ?? 0) }
  }

  /// A count that went back began anew meanwhile.
  private static func difference(_ count: UInt64, _ before: UInt64) -> UInt64 {
    count >= before ? count - before : count
  }
}
