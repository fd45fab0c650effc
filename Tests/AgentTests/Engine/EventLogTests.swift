import Testing

@testable import Agent

@Suite struct EventLogTests {
  private func log(capacity: Int, events: Int) -> EventLog {
    var log = EventLog(capacity: capacity)
    for number in 0..<events {
      _ = log.append(Event(kind: "test", message: "event \(number + 1)"), time: (Int64(number), 0))
    }
    return log
  }

  @Test func eventsAreNumberedFromOneAndComeBackOldestFirst() {
    var log = EventLog()
    let event = Event(kind: "macMoved", message: "It moved.", host: "a", network: "blue", mac: "00:16:3e:00:00:01")
    let entry = log.append(event, time: (seconds: 86_400, nanoseconds: 5_000_000))
    #expect(entry.id == 1 && entry.kind == "macMoved" && entry.message == "It moved.")
    #expect(entry.host == "a" && entry.network == "blue" && entry.mac == "00:16:3e:00:00:01")
    #expect(entry.time == "1970-01-02T00:00:00.005Z")
    #expect(log.append(event, time: (0, 0)).id == 2)
    #expect(log.after(0).map(\.id) == [1, 2])
    #expect(log.after(0).first == entry)
  }

  @Test func aReaderGetsWhatFollowsTheLastThatItSaw() {
    let log = log(capacity: 10, events: 5)
    #expect(log.after(3).map(\.id) == [4, 5])
    #expect(log.after(5).isEmpty)
    #expect(log.after(.max).isEmpty)
    #expect(EventLog().after(0).isEmpty)
  }

  @Test(arguments: [1, 2, 3, 4, 5, 6, 7, 100, 1000]) func onlyTheLatestAreKept(count: Int) {
    let log = log(capacity: 3, events: count)
    let kept = log.after(0)
    #expect(kept.map(\.id) == Array((1...UInt64(count)).suffix(3)))
    #expect(kept.map(\.message) == (1...count).suffix(3).map { "event \($0)" })
    // A reader that was away for longer than the ring reaches gets what there is.
    #expect(log.after(1).map(\.id) == Array((1...UInt64(count)).dropFirst().suffix(3)))
  }
}
