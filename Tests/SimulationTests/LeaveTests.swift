import Membership
import Testing
import Wire

struct LeaveTests {
  @Test(arguments: PoolCase.of([2, 3, 8, 32], seeds: 2))
  func aHostThatLeavesIsGoneEverywhereWithoutAnAlarm(size: PoolCase) throws {
    let (count, seed) = (size.hosts, size.seed)
    var pool = Pool.settled(count, seed: seed)
    pool.input(1) { node, now in node.leave(now: now) }
    pool.run(for: .seconds(1))
    pool.kill(1)
    #expect(pool.everybody(says: .left, of: 1))
    pool.run(for: .seconds(60))
    #expect(pool.everybody(says: .left, of: 1))
    #expect(pool.count(of: .dead) + pool.count(of: .suspect) + pool.count(of: .agentDown) == 0)
  }

  @Test(arguments: [1, 2, 3] as [UInt64])
  func leavingIsHeardOverABadNetwork(seed: UInt64) throws {
    var pool = Pool.settled(8, seed: seed, conditions: .bad)
    pool.input(1) { node, now in node.leave(now: now) }
    pool.run(for: .seconds(2))
    pool.kill(1)
    let time = pool.run(atMost: .seconds(10)) { $0.everybody(says: .left, of: 1) }
    #expect(time != nil)
  }

  @Test func aHostThatLeftIsAliveAgainInItsNextBoot() throws {
    var pool = Pool.settled(8, seed: 1)
    pool.input(1) { node, now in node.leave(now: now) }
    pool.run(for: .seconds(5))
    pool.start(1)
    let time = try #require(pool.run(atMost: .seconds(5)) { $0.allAlive() })
    #expect(time <= .seconds(1))
  }
}

struct BandwidthTests {
  @Test(arguments: [3, 8, 32])
  func aQuietPoolCostsFewPacketsWhateverItsSize(count: Int) {
    var pool = Pool.settled(count, seed: 5)
    pool.run(for: .seconds(30))
    let before = pool.hosts.map { ($0.datagramsSent, $0.bytesSent) }
    pool.run(for: .seconds(60))
    for (host, old) in zip(pool.hosts, before) {
      // One ping a second and as many acks as others' pings ask for.
      #expect(host.datagramsSent - old.0 <= 60 * 4)
      #expect(host.bytesSent - old.1 <= 60 * 1500)
    }
    let average = zip(pool.hosts, before).reduce(0) { $0 + $1.0.datagramsSent - $1.1.0 } / count
    #expect(average <= 60 * 21 / 10)
  }

  @Test func aPoolHalfDeadCostsHardlyMore() {
    var pool = Pool.settled(32, seed: 5)
    for index in 16..<32 { pool.crash(index) }
    pool.run(for: .seconds(120))
    let before = pool.hosts.map(\.datagramsSent)
    pool.run(for: .seconds(60))
    for (host, old) in zip(pool.hosts, before) { #expect(host.datagramsSent - old <= 60 * 6) }
  }

  @Test func everyPacketFitsADatagramEvenWhenAllIsNews() {
    var pool = Pool.settled(32, seed: 6)
    pool.partition(Array(0..<16), Array(16..<32))
    pool.run(for: .seconds(60))
    pool.heal()
    pool.run(for: .seconds(30))
    for host in pool.hosts {
      #expect(host.largestPacket > GossipPacket.maximumPlaintext / 2)
      #expect(host.largestPacket <= GossipPacket.maximumPlaintext)
    }
  }

  @Test func moreHostsThanAStartBurstFindEachOther() throws {
    var configuration = Membership.Configuration()
    configuration.startBurst = 4
    var pool = Pool(members: 32, seed: 7, configuration: configuration)
    pool.startAll()
    let time = try #require(pool.run(atMost: .seconds(30)) { $0.allAlive() })
    #expect(time <= .seconds(5))
  }
}
