import Glibc
import Testing

/// A ping that runs while something else happens.
final class ContinuousPing {
  private let child: Child
  /// Between two requests, in seconds.
  private let interval: Double
  /// How much of what it says was read, and how many answers were there.
  private var readSize = 0
  private var answered = 0

  init(_ child: Child, every interval: Double) {
    self.child = child
    self.interval = interval
  }

  /// What it has seen so far, or in all once it was stopped.
  struct Report: CustomStringConvertible {
    var sent: Int
    var lost: Int
    /// The first of the lost ones, by number.
    var missing: [Int]
    var duplicates: Int
    /// The longest time between two answers, in seconds.
    var gap: Double
    /// When the last answer came, in seconds of the wall clock.
    var last: Double
    /// Between two requests, in seconds.
    var interval: Double

    var description: String {
      "\(lost) of \(sent) lost, \(duplicates) twice, gap \(Int(gap * 1000)) ms"
        + (missing.isEmpty ? "" : ", missing \(missing)")
    }
  }

  /// How many pings are answered. What was read is not read again: on a slow machine that would be most of its work.
  var answers: Int {
    let bytes = Files.tail(child.output, from: readSize)
    guard let end = bytes.lastIndex(of: UInt8(ascii: "\n")) else { return answered }
    readSize += end + 1
    for line in bytes[..<end].split(separator: UInt8(ascii: "\n")) {
      let line = Array(line)
      if line.holds(Self.answer), !line.holds(Self.duplicate) { answered += 1 }
    }
    return answered
  }

  private static let answer = Array(" bytes from ".utf8)
  private static let duplicate = Array("DUP!".utf8)

  /// Waits until `count` more pings are answered.
  func proceed(_ count: Int, within seconds: Double = 15) throws {
    let goal = answers + count
    try eventually(within: seconds, "\(count) more pings are answered") { answers >= goal }
  }

  /// Ends it. A request before the last answer is lost, and so are all behind it if they are more than those of a second:
  /// up to then they may be on their way. That answers come at the end is for `proceed` to show before.
  func stop() throws -> Report {
    child.signal(SIGINT)
    child.wait(within: 5)
    let text = Files.text(child.output)
    let parsed = Self.parse(text)
    guard
      let sent = text.split(separator: "\n").last(where: { $0.contains("packets transmitted") })?
        .split(separator: " ").first.flatMap({ Int($0) })
    else { throw Failure("ping ended without a summary: \(text.suffix(300))") }
    guard let last = parsed.answered.max() else { throw Failure("not one of \(sent) pings was answered") }
    let tail = sent - last
    return Report(
      sent: sent, lost: last - parsed.answered.count + (Double(tail) * interval > max(1, 3 * interval) ? tail : 0),
      missing: Array((1...last).lazy.filter { !parsed.answered.contains($0) }.prefix(5)), duplicates: parsed.duplicates,
      gap: parsed.gap, last: parsed.time, interval: interval)
  }

  private static func parse(_ text: String) -> (answered: Set<Int>, duplicates: Int, gap: Double, time: Double) {
    var answered: Set<Int> = []
    var duplicates = 0
    var gap = 0.0
    var previous: Double?
    for line in text.split(separator: "\n") {
      // [1700000000.123456] 64 bytes from 10.7.0.1: icmp_seq=12 ttl=64 time=0.1 ms
      let words = line.split(separator: " ")
      guard let time = words.first.flatMap({ Double($0.dropFirst().dropLast()) }), words.count > 4,
        let sequence = words.first(where: { $0.hasPrefix("icmp_seq=") }).flatMap({ Int($0.dropFirst(9)) }),
        words[2] == "bytes"
      else { continue }
      if let previous { gap = max(gap, time - previous) }
      previous = time
      if line.contains("DUP!") || !answered.insert(sequence).inserted { duplicates += 1 }
    }
    return (answered, duplicates, gap, previous ?? 0)
  }
}

extension ContinuousPing.Report {
  /// For pings to a guest that moved and took `own` seconds to change over: 200 ms more at most, of debug builds that share
  /// two processors with everything else; the benchmark measures the release build.
  func expectMove(_ own: Double, sourceLocation: SourceLocation = #_sourceLocation) {
    #expect(
      Double(lost) * interval <= own + 0.2 * TestRun.patience, "\(self), of which the guest took \(Int(own * 1000)) ms",
      sourceLocation: sourceLocation)
  }

  /// For pings across a host whose agent was away for a moment: none is lost where the kernel carries them. Where the
  /// agent does they stand still as long as it is away, and a moment more. None comes twice.
  func expectAgentRestart(
    of host: TestHost, _ more: String = "", sourceLocation: SourceLocation = #_sourceLocation
  ) {
    #expect(duplicates == 0, "\(self)", sourceLocation: sourceLocation)
    if TestRun.path.outlivesAgent {
      #expect(lost == 0, "\(self) \(more)", sourceLocation: sourceLocation)
    } else {
      let away = "the agent was away for \(Int(host.away * 1000)) ms: \(self)"
      print(away)
      #expect(gap < host.away + 1.5 * TestRun.patience, "\(away)", sourceLocation: sourceLocation)
      #expect(host.away < 10 * TestRun.patience, "\(away)", sourceLocation: sourceLocation)
    }
  }
}
