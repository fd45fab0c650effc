import Testing
import Wire

@testable import Agent

@Suite struct TimerQueueTests {
  @Test func anyMixOfAddingCancellingAndFiringKeepsTheOrderOfDeadlines() {
    var random = SeededGenerator(seed: 7)
    for _ in 0..<50 {
      var queue = TimerQueue()
      var expected: [(deadline: UInt64, id: UInt64)] = []
      var fired: [UInt64] = []
      var model: [UInt64] = []
      for _ in 0..<400 {
        switch Int.random(in: 0..<10, using: &random) {
        case 0..<5:
          let deadline = UInt64.random(in: 0..<1000, using: &random)
          let next = queue.newest + 1
          let id = queue.add(at: Instant(nanoseconds: deadline)) { fired.append(next) }
          #expect(id == next)
          expected.append((deadline, id))
        case 5..<8:
          guard let victim = expected.randomElement(using: &random) else { continue }
          queue.remove(victim.id)
          expected.removeAll { $0.id == victim.id }
        default:
          let now = UInt64.random(in: 0..<300, using: &random)
          let due = expected.filter { $0.deadline <= now }.sorted { ($0.deadline, $0.id) < ($1.deadline, $1.id) }
          model += due.map(\.id)
          expected.removeAll { $0.deadline <= now }
          while let action = queue.popDue(now: Instant(nanoseconds: now), upTo: queue.newest) { action() }
        }
        #expect(queue.count == expected.count)
        #expect(queue.nextDeadline()?.nanoseconds == expected.map(\.deadline).min())
      }
      #expect(fired == model)
    }
  }

  @Test func cancelledTimersDoNotPileUp() {
    var queue = TimerQueue()
    for index in 0..<100_000 { queue.remove(queue.add(at: Instant(nanoseconds: UInt64(index))) {}) }
    #expect(queue.heapCount <= 65)
  }
}
