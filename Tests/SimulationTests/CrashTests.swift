import Membership
import Testing
import Wire

struct CrashTests {
  @Test(arguments: PoolCase.of([2, 3, 8, 32], seeds: 4))
  func aCrashedHostIsDeadEverywhereWithinTenSeconds(size: PoolCase) throws {
    let (count, seed) = (size.hosts, size.seed)
    var pool = Pool.settled(count, seed: seed)
    pool.crash(1)
    let time = try #require(pool.run(atMost: .seconds(30)) { $0.everybody(says: .dead, of: 1) })
    #expect(time <= .seconds(10))
    #expect(pool.count(of: .dead) == count - 1)
    pool.run(for: .seconds(30))
    #expect(pool.everybody(says: .dead, of: 1))
    #expect(pool.count(of: .dead) == count - 1)
  }

  @Test(arguments: [3, 8, 32])
  func aCrashIsNoticedInSixSecondsOnAverage(count: Int) throws {
    var sum = Duration.zero
    let seeds = count > 10 ? 4 : 10
    for seed in 0..<seeds {
      var pool = Pool.settled(count, seed: UInt64(seed))
      pool.crash(0)
      sum += try #require(pool.run(atMost: .seconds(30)) { $0.everybody(says: .dead, of: 0) })
    }
    #expect(sum / seeds <= .seconds(6))
  }

  @Test(arguments: [1, 2, 3] as [UInt64])
  func severalCrashesAtOnceAreNoticed(seed: UInt64) throws {
    var pool = Pool.settled(8, seed: seed)
    for index in [2, 3, 5] { pool.crash(index) }
    let time = try #require(
      pool.run(atMost: .seconds(60)) { pool in [2, 3, 5].allSatisfy { pool.everybody(says: .dead, of: $0) } })
    #expect(time <= .seconds(15))
    #expect(pool.count(of: .dead) == 15)
  }

  @Test(arguments: [1, 2, 3] as [UInt64])
  func aCrashIsNoticedOverABadNetwork(seed: UInt64) throws {
    var pool = Pool.settled(8, seed: seed, conditions: .bad)
    pool.crash(4)
    let time = try #require(pool.run(atMost: .seconds(60)) { $0.everybody(says: .dead, of: 4) })
    #expect(time <= .seconds(15))
  }

  @Test(arguments: PoolCase.of([2, 3, 8], seeds: 2))
  func aHostThatComesBackIsAliveAtOnce(size: PoolCase) throws {
    let (count, seed) = (size.hosts, size.seed)
    var pool = Pool.settled(count, seed: seed)
    pool.crash(1)
    pool.run(for: .seconds(60))
    pool.start(1)
    let time = try #require(pool.run(atMost: .seconds(10)) { $0.allAlive() })
    #expect(time <= .milliseconds(500))
  }

  @Test(arguments: PoolCase.of([2, 3, 8, 32], seeds: 3))
  func anAgentThatRestartsWithinASecondNeverShowsAsDead(size: PoolCase) throws {
    let (count, seed) = (size.hosts, size.seed)
    var pool = Pool.settled(count, seed: seed)
    for _ in 0..<5 {
      pool.kill(1)
      pool.run(for: .seconds(1))
      pool.start(1)
      let time = try #require(pool.run(atMost: .seconds(5)) { $0.allAlive() })
      #expect(time <= .seconds(1))
      pool.run(for: .milliseconds(1700))
    }
    #expect(pool.count(of: .dead) == 0)
  }
}

struct FalseAlarmTests {
  @Test(arguments: PoolCase.of([3, 8, 32], seeds: 2))
  func nobodyIsCalledDeadInMinutesOfTenPercentLoss(size: PoolCase) {
    let (count, seed) = (size.hosts, size.seed)
    var pool = Pool.settled(count, seed: seed, conditions: .bad)
    pool.run(for: .seconds(180))
    #expect(pool.count(of: .dead) == 0)
    #expect(pool.count(of: .agentDown) == 0)
    #expect(pool.pauses == 0)
  }

  @Test(arguments: PoolCase.of([3, 8, 32], seeds: 2))
  func aOneWayCutBetweenTwoHostsIsBridgedByOthers(size: PoolCase) {
    let (count, seed) = (size.hosts, size.seed)
    var pool = Pool.settled(count, seed: seed)
    pool.cut(from: 0, to: 1)
    pool.run(for: .seconds(120))
    #expect(pool.count(of: .dead) == 0)
    #expect(pool.allAlive())
  }

  @Test(arguments: PoolCase.of([3, 8], seeds: 2))
  func aCutBothWaysBetweenTwoHostsIsBridgedByOthers(size: PoolCase) {
    let (count, seed) = (size.hosts, size.seed)
    var pool = Pool.settled(count, seed: seed)
    pool.partition([0], [1])
    pool.run(for: .seconds(120))
    #expect(pool.count(of: .dead) == 0)
    #expect(pool.allAlive())
  }

  @Test(arguments: PoolCase.of([2, 3, 8, 32], seeds: 2))
  func aHostThatStoodStillCallsNobodyDead(size: PoolCase) throws {
    let (count, seed) = (size.hosts, size.seed)
    var pool = Pool.settled(count, seed: seed)
    pool.pause(0)
    pool.run(for: .seconds(60))
    let before = pool.hosts[0].node.changes.count
    #expect(pool.everybody(says: .agentDown, of: 0))
    pool.resume(0)
    let time = try #require(pool.run(atMost: .seconds(5)) { $0.allAlive() })
    #expect(time <= .seconds(1))
    pool.run(for: .seconds(60))
    #expect(pool.hosts[0].node.pauses == 1)
    #expect(!pool.hosts[0].node.changes[before...].contains { $0.to == .dead || $0.to == .agentDown })
    #expect(pool.count(of: .dead) == 0)
    #expect(pool.allAlive())
  }

  @Test(arguments: [1, 2, 3] as [UInt64])
  func shortPausesAllOverThePoolKillNobody(seed: UInt64) {
    var pool = Pool.settled(8, seed: seed)
    for round in 0..<20 {
      let index = round * 3 % 8
      pool.pause(index)
      pool.run(for: .milliseconds(2500))
      pool.resume(index)
      pool.run(for: .milliseconds(700))
    }
    pool.run(for: .seconds(10))
    #expect(pool.count(of: .dead) == 0)
    #expect(pool.allAlive())
  }
}
