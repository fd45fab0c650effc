import DataPath
import Testing
import Wire

@testable import Agent

@Suite struct FailureNoticeTests {
  @Test func aFailureIsToldOnceAndItsEndToo() {
    var notice = FailureNotice()
    #expect(notice.turn(nil) == nil)
    #expect(notice.turn("a") == .began("a"))
    #expect(notice.turn("b") == nil)
    #expect(notice.turn(nil) == .ended)
    #expect(notice.turn(nil) == nil)
  }

  @Test func oldDropsAreNoTroubleOfToday() {
    var (watch, count) = (DropWatch(), UInt64(5))
    func at(_ minutes: Int) -> Instant { Instant(nanoseconds: 1) + .seconds(minutes * 60) }
    func lately() -> UInt64 { watch.growth(.integrity, count) }
    #expect(lately() == 5, "since the start")
    watch.note([.integrity: count], overflows: 0, taps: [:], now: at(0))
    count = 8
    for minute in 1..<30 { watch.note([.integrity: count], overflows: 0, taps: [:], now: at(minute)) }
    #expect(lately() == 3)
    watch.note([.integrity: count], overflows: 0, taps: [:], now: at(30))
    count = 9
    #expect(lately() == 4, "still within the hour")
    watch.note([.integrity: count], overflows: 0, taps: [:], now: at(60))
    #expect(lately() == 1)
    watch.note([.integrity: count], overflows: 0, taps: [:], now: at(90))
    #expect(lately() == 0)
    count = 2
    #expect(lately() == 2, "it began anew")
  }

  @Test func whatATAPLostBeforeTheAgentStartedIsNoTroubleOfTodayNorIsATAPThatWentAway() throws {
    let (first, second) = (try #require(VNI(1)), try #require(VNI(2)))
    var watch = DropWatch()
    func at(_ minutes: Int) -> Instant { Instant(nanoseconds: 1) + .seconds(minutes * 60) }
    watch.note([:], overflows: 0, taps: [first: 100, second: 5000], now: at(0))
    #expect(watch.growth(ofTAPs: [first: 100, second: 5000]) == 0)
    #expect(watch.growth(ofTAPs: [first: 103, second: 5000]) == 3)
    #expect(watch.growth(ofTAPs: [first: 103]) == 3, "the second is gone")
    #expect(watch.growth(ofTAPs: [first: 2]) == 2, "it was made anew")
    watch.note([:], overflows: 0, taps: [first: 103], now: at(30))
    watch.note([:], overflows: 0, taps: [first: 104], now: at(60))
    #expect(watch.growth(ofTAPs: [first: 110]) == 7)
  }

  @Test func whyPacketsAreSealedByThisLibraryIsTold() {
    #expect(
      Engine.threadsSentences(queues: 2, provider: "libcrypto", reason: "The other one is not installed.")
        == "2 queues, each with a thread that sends and one that receives; AES-256-GCM by libcrypto. "
        + "The other one is not installed.")
  }

  @Test func oneOfManyNetworksIsNotLookedForInALongLine() {
    let networks = (1...200).compactMap { VNI(UInt32($0)) }
    #expect(Engine.networksSentence(networks) == "It carries 200 by wt1, wt2, wt3, wt4, wt5 and 195 more.")
    #expect(Engine.networksSentence(Array(networks.prefix(1))) == "It carries 1 by wt1.")
    #expect(Engine.networksSentence([]) == "It carries no network.")
  }
}
