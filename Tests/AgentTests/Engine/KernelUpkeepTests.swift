import Testing
import Wire

@testable import Agent

@Suite struct KernelUpkeepTests {
  private let blue = NetworkID(high: 1, low: 1)
  private let green = NetworkID(high: 1, low: 2)
  private let start = Instant(nanoseconds: 1_000_000_000)
  private let mac = MACAddress(0x0200_5e00_0001) ?? .zero

  @Test func aNetworkThatFailedIsTriedAgainAfterASecondHoweverOftenItFailedBefore() {
    var upkeep = KernelUpkeep()
    upkeep.failed(blue, now: start)
    upkeep.failed(blue, now: start + .milliseconds(300))
    #expect(upkeep.deadline == start + .seconds(1))
    #expect(on(&upkeep, { $0.takeDueNetworks(now: start + .milliseconds(999)) }).isEmpty)
    #expect(on(&upkeep, { $0.takeDueNetworks(now: start + .seconds(1)) }) == [blue])
    #expect(upkeep.deadline == nil)
    #expect(on(&upkeep, { $0.takeDueNetworks(now: start + .seconds(2)) }).isEmpty)
  }

  @Test func eachRetryThatFailsDoublesTheWaitUpToHalfAMinute() {
    var upkeep = KernelUpkeep()
    var now = start
    var waits: [Duration] = []
    for _ in 0..<7 {
      upkeep.failed(blue, now: now)
      let next = upkeep.deadline ?? now
      waits.append(next - now)
      now = next
      #expect(on(&upkeep, { $0.takeDueNetworks(now: now) }) == [blue])
    }
    #expect(waits == [1, 2, 4, 8, 16, 30, 30].map { .seconds($0) })
    upkeep.succeeded(blue)
    upkeep.failed(blue, now: now)
    #expect(upkeep.deadline == now + .seconds(1))
  }

  @Test func aNetworkThatWorksIsNotTriedAgain() {
    var upkeep = KernelUpkeep()
    upkeep.failed(green, now: start)
    upkeep.failed(blue, now: start)
    upkeep.succeeded(green)
    #expect(on(&upkeep, { $0.takeDueNetworks(now: start + .seconds(1)) }) == [blue])
  }

  @Test func aStrayMACIsPutRightAtOnceAndOnceMoreASecondLater() {
    var upkeep = KernelUpkeep()
    #expect(on(&upkeep, { $0.strayed(blue, mac, now: start) }))
    #expect(!on(&upkeep, { $0.strayed(blue, mac, now: start + .milliseconds(500)) }))
    #expect(on(&upkeep, { $0.strayed(green, mac, now: start + .milliseconds(500)) }))
    #expect(upkeep.deadline == start + .seconds(1))
    #expect(on(&upkeep, { $0.takeDueMACs(now: start + .seconds(1)) }).map(\.network) == [blue])
    #expect(on(&upkeep, { $0.takeDueMACs(now: start + .seconds(2)) }).map(\.network) == [green])
    #expect(upkeep.deadline == nil)
    #expect(on(&upkeep, { $0.strayed(blue, mac, now: start + .seconds(2)) }))
  }

  @Test func theMonitorIsOpenedAgainOnceForEachFailureAndNotInABusyLoop() {
    var upkeep = KernelUpkeep()
    upkeep.monitorFailed(now: start)
    #expect(!on(&upkeep, { $0.takeDueMonitor(now: start) }))
    #expect(on(&upkeep, { $0.takeDueMonitor(now: start + .seconds(1)) }))
    #expect(!on(&upkeep, { $0.takeDueMonitor(now: start + .seconds(9)) }))
    upkeep.monitorFailed(now: start)
    #expect(upkeep.deadline == start + .seconds(2))
    upkeep.monitorWorks()
    upkeep.monitorFailed(now: start)
    #expect(upkeep.deadline == start + .seconds(1))
  }
}
