import Membership
import Testing
import Wire

typealias Pool = Simulation<MemberNode>

struct JoinTests {
  @Test(arguments: PoolCase.of([1, 2, 3, 8, 32], seeds: 3))
  func hostsThatStartTogetherKnowEachOtherWithinASecond(size: PoolCase) throws {
    let (count, seed) = (size.hosts, size.seed)
    var pool = Pool(members: count, seed: seed)
    pool.startAll()
    let time = try #require(pool.run(atMost: .seconds(10)) { $0.allAlive() })
    #expect(time <= .seconds(1))
    #expect(pool.count(of: .dead) == 0)
  }

  @Test(arguments: [1, 2, 3] as [UInt64])
  func hostsFindEachOtherOverABadNetwork(seed: UInt64) throws {
    var pool = Pool(members: 8, seed: seed, conditions: .bad)
    pool.startAll()
    let time = try #require(pool.run(atMost: .seconds(30)) { $0.allAlive() })
    #expect(time <= .seconds(10))
  }

  @Test(arguments: PoolCase.of([1, 2, 7, 31], seeds: 2))
  func aJoinerIsKnownToAllWithinASecond(size: PoolCase) throws {
    let (count, seed) = (size.hosts, size.seed)
    var pool = Pool.settled(count, seed: seed)
    let joiner = pool.join()
    let time = try #require(pool.run(atMost: .seconds(10)) { $0.allAlive() })
    #expect(time <= .seconds(1))
    #expect(pool.everybody(says: .alive, of: joiner))
  }

  @Test func aJoinerLearnsWhoIsDead() throws {
    var pool = Pool.settled(8, seed: 4)
    pool.crash(3)
    pool.run(for: .seconds(10))
    let joiner = pool.join()
    let time = pool.run(atMost: .seconds(5)) { $0.count(of: .dead, about: 3) == 8 }
    #expect(time != nil)
    #expect(pool.state(of: 3, at: joiner) == .dead)
    #expect(pool.hosts[joiner].node.membership.view(of: Pool.id(3))?.boot == pool.hosts[3].boot)
  }

  @Test func aHostAloneWaitsForNothing() {
    var pool = Pool(members: 1, seed: 1)
    pool.startAll()
    #expect(pool.hosts[0].node.deadline == nil)
    pool.run(for: .seconds(60))
    #expect(pool.hosts[0].datagramsSent == 0)
  }
}

struct TraceTests {
  private func script(seed: UInt64) -> (trace: [String], fingerprint: UInt64) {
    var pool = Pool.settled(8, seed: seed, conditions: .bad)
    pool.partition([0, 1, 2], [3, 4, 5, 6, 7])
    pool.run(for: .seconds(20))
    pool.kill(6)
    pool.heal()
    pool.run(for: .seconds(10))
    pool.start(6)
    pool.pause(1)
    pool.run(for: .seconds(10))
    pool.resume(1)
    pool.run(for: .seconds(10))
    return (pool.trace, pool.fingerprint)
  }

  @Test func theSameSeedGivesTheSameTrace() {
    let first = script(seed: 11)
    let second = script(seed: 11)
    #expect(first.trace == second.trace)
    #expect(first.fingerprint == second.fingerprint)
    #expect(first.trace.count > 50)
  }

  @Test func anotherSeedGivesAnotherTrace() { #expect(script(seed: 11).fingerprint != script(seed: 12).fingerprint) }
}
