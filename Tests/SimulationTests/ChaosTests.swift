import Membership
import Testing
import Wire

struct ChaosTests {
  /// Faults of every kind, one after the other, then quiet.
  static func storm(hosts count: Int, seed: UInt64) -> Pool {
    var pool = Pool.settled(count, seed: seed)
    var script = SeededGenerator(seed: seed ^ 0xc4a0)
    for _ in 0..<25 {
      let index = Int.random(in: 0..<count, using: &script)
      let other = Int.random(in: 0..<count, using: &script)
      switch Int.random(in: 0..<9, using: &script) {
      case 0: if pool.hosts[index].condition == .running { pool.crash(index) }
      case 1: if pool.hosts[index].condition == .running { pool.kill(index) }
      case 2: if pool.hosts[index].condition == .running { pool.pause(index) }
      case 3: if pool.hosts[index].condition == .paused { pool.resume(index) }
      case 4, 5: if [.crashed, .agentDown].contains(pool.hosts[index].condition) { pool.start(index) }
      case 6: if index != other { pool.cut(from: index, to: other) }
      case 7:
        let side = pool.hosts.indices.filter { _ in Bool.random(using: &script) }
        pool.partition(side, pool.hosts.indices.filter { !side.contains($0) })
      default: pool.heal()
      }
      pool.conditions = Bool.random(using: &script) ? .bad : .lan
      pool.run(for: .milliseconds(Int.random(in: 0..<6000, using: &script)))
    }
    pool.conditions = .lan
    pool.heal()
    for index in pool.hosts.indices {
      switch pool.hosts[index].condition {
      case .running: break
      case .paused: pool.resume(index)
      case .crashed, .agentDown: pool.start(index)
      }
    }
    return pool
  }

  @Test(arguments: 1...12 as ClosedRange<UInt64>)
  func whateverHappenedAllHostsAgreeWithinFiveSecondsOfQuiet(seed: UInt64) throws {
    var pool = Self.storm(hosts: 6, seed: seed)
    let time = try #require(pool.run(atMost: .seconds(60)) { $0.allAlive() })
    #expect(time <= .seconds(5))
    let deaths = pool.count(of: .dead)
    pool.run(for: .seconds(30))
    #expect(pool.allAlive() && pool.allIncarnationsKnown())
    #expect(pool.count(of: .dead) == deaths)
  }

  @Test(arguments: 1...6 as ClosedRange<UInt64>)
  func hostsThatStayAwayAreHeldForTheSameEverywhere(seed: UInt64) throws {
    var pool = Self.storm(hosts: 6, seed: seed)
    pool.run(for: .seconds(5))
    pool.crash(1)
    pool.kill(2)
    let time = try #require(
      pool.run(atMost: .seconds(60)) {
        $0.allAlive() && $0.everybody(says: .dead, of: 1) && $0.everybody(says: .agentDown, of: 2)
      })
    #expect(time <= .seconds(25))
  }
}
