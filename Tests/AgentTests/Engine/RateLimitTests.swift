import Testing
import Wire

@testable import Agent

@Suite struct RateLimitTests {
  /// A limit that can be asked within an expectation.
  private final class Limit {
    private var limit: RateLimit<Int>

    init(burst: Int, interval: Duration, capacity: Int = 4096) {
      limit = RateLimit(burst: burst, interval: interval, capacity: capacity)
    }

    var sweeps: Int { limit.sweeps }

    func allows(_ key: Int, at milliseconds: Int) -> Bool {
      limit.allows(key, now: Instant(nanoseconds: 1_000_000_000) + .milliseconds(milliseconds))
    }
  }

  @Test func aBurstIsAllowedAndNoMore() {
    let limit = Limit(burst: 3, interval: .seconds(1))
    #expect((0..<5).map { _ in limit.allows(1, at: 0) } == [true, true, true, false, false])
    #expect(limit.allows(2, at: 0), "another key has a bucket of its own")
  }

  @Test func oneMoreIsAllowedAfterEachInterval() {
    let limit = Limit(burst: 2, interval: .milliseconds(100))
    #expect(limit.allows(1, at: 0) && limit.allows(1, at: 0))
    #expect(!limit.allows(1, at: 99))
    #expect(limit.allows(1, at: 100))
    #expect(!limit.allows(1, at: 199))
    #expect(limit.allows(1, at: 200))
  }

  @Test func refusedCallsDoNotPutTheNextOneOff() {
    let limit = Limit(burst: 1, interval: .milliseconds(100))
    #expect(limit.allows(1, at: 0))
    for millisecond in stride(from: 10, to: 100, by: 10) { #expect(!limit.allows(1, at: millisecond)) }
    #expect(limit.allows(1, at: 100))
  }

  @Test func aLongSilenceSavesUpOneBurstAndNoMore() {
    let limit = Limit(burst: 2, interval: .milliseconds(100))
    #expect(limit.allows(1, at: 0))
    let later = 3_600_000
    #expect((0..<4).map { _ in limit.allows(1, at: later) } == [true, true, false, false])
  }

  @Test func aFloodOfKeysIsRefusedOnceTheCapacityIsUsedAndKnownKeysGoOn() {
    let limit = Limit(burst: 2, interval: .seconds(1), capacity: 100)
    #expect((0..<1000).filter { limit.allows($0, at: 0) } == Array(0..<100))
    #expect(limit.allows(99, at: 0), "a key that is remembered has the rest of its burst")
    #expect(!limit.allows(99, at: 0))
    #expect(!limit.allows(1000, at: 999))
  }

  @Test func aFloodIsLookedThroughOnceAnIntervalAndNotOnceAKey() {
    let limit = Limit(burst: 2, interval: .seconds(1), capacity: 100)
    for millisecond in 0..<3000 { _ = limit.allows(millisecond, at: millisecond) }
    #expect((1...3).contains(limit.sweeps))
  }

  @Test func keysThatAreFullAgainMakeRoomForOthers() {
    let limit = Limit(burst: 2, interval: .seconds(1), capacity: 100)
    for key in 0..<100 { #expect(limit.allows(key, at: 0)) }
    #expect(limit.allows(7, at: 0))
    // A second later all are full again, but the one that used both.
    #expect((200..<400).filter { limit.allows($0, at: 1000) }.count == 99)
    #expect(limit.allows(7, at: 1000))
    #expect(!limit.allows(7, at: 1000), "a key that was not full is not forgotten")
  }
}
