import Membership
import Testing
import Wire

struct PartitionTests {
  @Test(arguments: PoolCase.of([2, 3, 8, 32], seeds: 3))
  func afterACutOfAMinuteAllAgreeWithinFiveSeconds(size: PoolCase) throws {
    let (count, seed) = (size.hosts, size.seed)
    var pool = Pool.settled(count, seed: seed)
    let (left, right) = (Array(0..<count / 2), Array(count / 2..<count))
    pool.partition(left, right)
    pool.run(for: .seconds(60))
    let isSplit = pool.hosts.indices.allSatisfy { a in
      pool.hosts.indices.allSatisfy { b in
        a == b || pool.state(of: b, at: a) == (left.contains(a) == left.contains(b) ? .alive : .dead)
      }
    }
    #expect(isSplit)
    pool.heal()
    let time = try #require(pool.run(atMost: .seconds(30)) { $0.allAlive() })
    #expect(time <= .seconds(5))
    pool.run(for: .seconds(60))
    #expect(pool.allAlive())
    // No timer was ever overdue, so nobody thought that it had stood still.
    #expect(pool.pauses == 0)
  }

  @Test(arguments: PoolCase.of([3, 8, 32], seeds: 3))
  func anIsolatedHostIsBackWithinFiveSeconds(size: PoolCase) throws {
    let (count, seed) = (size.hosts, size.seed)
    var pool = Pool.settled(count, seed: seed)
    pool.partition([0], Array(1..<count))
    pool.run(for: .seconds(150))
    #expect(pool.everybody(says: .dead, of: 0) || count == 1)
    pool.heal()
    let time = try #require(pool.run(atMost: .seconds(30)) { $0.allAlive() })
    #expect(time <= .seconds(5))
  }

  @Test(arguments: [1, 2, 3] as [UInt64])
  func aHealedPartitionOfABadNetworkAgrees(seed: UInt64) throws {
    var pool = Pool.settled(8, seed: seed, conditions: .bad)
    pool.partition([0, 1, 2], [3, 4, 5, 6, 7])
    pool.run(for: .seconds(60))
    pool.heal()
    let time = try #require(pool.run(atMost: .seconds(30)) { $0.allAlive() })
    #expect(time <= .seconds(10))
  }

  @Test(arguments: [1, 2, 3] as [UInt64])
  func deathsAndRestartsDuringACutAreKnownToBothSidesAfterIt(seed: UInt64) throws {
    var pool = Pool.settled(8, seed: seed)
    pool.partition([0, 1, 2, 3], [4, 5, 6, 7])
    pool.run(for: .seconds(10))
    pool.crash(1)
    pool.kill(6)
    pool.run(for: .seconds(10))
    pool.start(6)
    pool.run(for: .seconds(20))
    pool.heal()
    let time = try #require(
      pool.run(atMost: .seconds(30)) { $0.allAlive() && $0.everybody(says: .dead, of: 1) })
    #expect(time <= .seconds(5))
  }

  @Test(arguments: [1, 2, 3] as [UInt64])
  func aHostThatHearsNobodyIsDeadForTheOthersAndBackAfterwards(seed: UInt64) throws {
    var pool = Pool.settled(8, seed: seed)
    for index in 1..<8 { pool.cut(from: index, to: 0) }
    let dead = pool.run(atMost: .seconds(20)) { $0.everybody(says: .dead, of: 0) }
    #expect(dead != nil)
    #expect((1..<8).allSatisfy { pool.count(of: .dead, about: $0) <= 1 })
    pool.heal()
    let time = try #require(pool.run(atMost: .seconds(30)) { $0.allAlive() })
    #expect(time <= .seconds(5))
  }
}
