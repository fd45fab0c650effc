import Membership
import Testing
import Wire

struct AgentDownTests {
  @Test(arguments: PoolCase.of([2, 3, 8, 32], seeds: 3))
  func aSilentAgentOnALiveKernelIsAgentDownAndNeverDead(size: PoolCase) throws {
    let (count, seed) = (size.hosts, size.seed)
    var pool = Pool.settled(count, seed: seed)
    pool.kill(1)
    let time = try #require(pool.run(atMost: .seconds(30)) { $0.everybody(says: .agentDown, of: 1) })
    #expect(time <= .seconds(6))
    pool.run(for: .seconds(120))
    #expect(pool.everybody(says: .agentDown, of: 1))
    #expect(pool.count(of: .dead) == 0)
    pool.start(1)
    let back = try #require(pool.run(atMost: .seconds(10)) { $0.allAlive() })
    #expect(back <= .seconds(1))
  }

  @Test(arguments: PoolCase.of([2, 3, 8], seeds: 2))
  func aKernelThatFollowsItsAgentMakesTheHostDead(size: PoolCase) throws {
    let (count, seed) = (size.hosts, size.seed)
    var pool = Pool.settled(count, seed: seed)
    pool.kill(1)
    pool.run(for: .seconds(30))
    #expect(pool.everybody(says: .agentDown, of: 1))
    pool.crash(1)
    let time = try #require(pool.run(atMost: .seconds(60)) { $0.everybody(says: .dead, of: 1) })
    #expect(time <= .seconds(20))
  }

  @Test(arguments: PoolCase.of([2, 3, 8], seeds: 2))
  func afterItsTimeASilentAgentIsDeadEverywhereAndStaysSo(size: PoolCase) throws {
    let (count, seed) = (size.hosts, size.seed)
    var configuration = Membership.Configuration()
    configuration.agentDownLimit = .seconds(60)
    var pool = Pool.settled(count, seed: seed, configuration: configuration)
    pool.kill(1)
    pool.run(for: .seconds(50))
    #expect(pool.everybody(says: .agentDown, of: 1))
    let time = try #require(pool.run(atMost: .seconds(30)) { $0.everybody(says: .dead, of: 1) })
    #expect(time <= .seconds(20))
    pool.run(for: .seconds(60))
    #expect(pool.everybody(says: .dead, of: 1))
  }

  @Test(arguments: [1, 2, 3] as [UInt64])
  func aLateJoinerDoesNotProlongTheTimeOfASilentAgent(seed: UInt64) throws {
    var configuration = Membership.Configuration()
    configuration.agentDownLimit = .seconds(60)
    var pool = Pool.settled(4, seed: seed, configuration: configuration)
    pool.kill(1)
    pool.run(for: .seconds(45))
    _ = pool.join()
    pool.run(for: .seconds(5))
    #expect(pool.everybody(says: .agentDown, of: 1))
    pool.run(for: .seconds(30))
    #expect(pool.everybody(says: .dead, of: 1))
    let deaths = pool.count(of: .dead, about: 1)
    pool.run(for: .seconds(120))
    #expect(pool.everybody(says: .dead, of: 1))
    #expect(pool.count(of: .dead, about: 1) == deaths)
  }

  @Test(arguments: [1, 2, 3, 4] as [UInt64])
  func oneHostThatReachesTheKernelKeepsItAgentDownForAll(seed: UInt64) throws {
    var pool = Pool.settled(8, seed: seed)
    // Only host 2 reaches host 1 at all.
    pool.partition([1], [0, 3, 4, 5, 6, 7])
    pool.run(for: .seconds(30))
    #expect(pool.count(of: .dead) == 0)
    pool.kill(1)
    // Those who cannot reach the kernel ask again and again, so now and then the host is suspect for a moment.
    let time = pool.run(atMost: .seconds(20)) { $0.everybody(says: .agentDown, of: 1) }
    #expect(time != nil)
    pool.run(for: .seconds(120))
    #expect(pool.running.allSatisfy { [.agentDown, .suspect].contains(pool.state(of: 1, at: $0)) })
    #expect(pool.count(of: .dead) == 0)
  }

  @Test(arguments: [1, 2, 3] as [UInt64])
  func anIsolatedHostDoesNotBringDeathToASilentAgentThatOthersSee(seed: UInt64) throws {
    var pool = Pool.settled(8, seed: seed)
    pool.kill(1)
    pool.run(for: .seconds(20))
    pool.partition([0], Array(1..<8))
    pool.run(for: .seconds(60))
    #expect(pool.state(of: 1, at: 0) == .dead)
    pool.heal()
    let time = try #require(
      pool.run(atMost: .seconds(30)) { $0.allAlive() && $0.everybody(says: .agentDown, of: 1) })
    #expect(time <= .seconds(5))
    pool.run(for: .seconds(20))
    #expect(pool.running.allSatisfy { [.agentDown, .suspect].contains(pool.state(of: 1, at: $0)) })
  }

  @Test(arguments: PoolCase.of([3, 8], seeds: 2))
  func allAgentsMayBeRestartedOneAfterTheOther(size: PoolCase) throws {
    let (count, seed) = (size.hosts, size.seed)
    var pool = Pool.settled(count, seed: seed)
    for index in 0..<count {
      pool.kill(index)
      pool.run(for: .seconds(8))
      pool.start(index)
      #expect(pool.run(atMost: .seconds(5)) { $0.allAlive() } != nil)
    }
    #expect(pool.count(of: .dead) == 0)
  }
}
