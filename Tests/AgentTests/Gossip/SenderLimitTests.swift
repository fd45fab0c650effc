import Testing
import Wire

@testable import Agent

@Suite struct SenderLimitTests {
  private let now = Instant(nanoseconds: 1_000_000_000)

  /// How many of these addresses are allowed one datagram each, all at one moment.
  private func allowed(_ addresses: [IPAddress], isMember: Bool = false) -> Int {
    var limit = SenderLimit(burst: 4, interval: .seconds(1))
    return addresses.filter { limit.allows($0, isMember: isMember, now: now) }.count
  }

  @Test func allAddressesOfOneIPv6PrefixShareABucket() {
    #expect(allowed((0..<1000).map { .v6(high: 0x2001_0db8_0000_0001, low: $0) }) == 4)
    #expect(allowed((0..<10).map { .v6(high: 0x2001_0db8_0000_0000 | $0, low: 1) }) == 10)
  }

  @Test func eachIPv4AddressHasItsOwn() {
    #expect(allowed((0..<10).map { .v4(0xc000_0200 | $0) }) == 10)
    #expect(allowed([IPAddress](repeating: .v4(0xc000_0201), count: 10)) == 4)
  }

  @Test func membersOfOnePrefixAreLimitedEachForItself() {
    let members = (1...64).map { IPAddress.v6(high: 0x2001_0db8_0000_0001, low: $0) }
    #expect(allowed(members + members, isMember: true) == 128)
    #expect(allowed([IPAddress](repeating: members[0], count: 10), isMember: true) == 4)
  }

  @Test func aFloodOfStrangersTakesNothingFromAMemberBesideThem() {
    var limit = SenderLimit(burst: 4, interval: .seconds(1))
    for low: UInt64 in 100..<10_000 {
      _ = limit.allows(.v6(high: 0x2001_0db8_0000_0001, low: low), isMember: false, now: now)
      _ = limit.allows(.v6(high: 0x2001_0db8_0000_0001 &+ low, low: 1), isMember: false, now: now)
    }
    let isAllowed = limit.allows(.v6(high: 0x2001_0db8_0000_0001, low: 1), isMember: true, now: now)
    #expect(isAllowed)
  }
}
