import Associations
import Testing
import Wire

struct KeyChaosTests {
  /// Faults of every kind, one after the other; the agents of all hosts run at the end, and the network is good.
  static func storm(hosts count: Int, seed: UInt64, steps: Int, faults: KeyPool.Faults = KeyPool.Faults()) -> KeyPool {
    var configuration = Associations.Configuration()
    configuration.rekeyInterval = .seconds(20)
    var pool = KeyPool(
      count, seed: seed, conditions: .bad, packetInterval: .milliseconds(25), configuration: configuration)
    pool.faults = faults
    pool.isPunctual = faults.refused == 0 && faults.burnt == 0
    for index in pool.hosts.indices { pool.start(index) }
    var script = SeededGenerator(seed: seed ^ 0x6b65_7973)
    for _ in 0..<steps {
      let index = Int.random(in: 0..<count, using: &script)
      let other = Int.random(in: 0..<count, using: &script)
      let isRunning = pool.hosts[index].core != nil
      switch Int.random(in: 0..<14, using: &script) {
      case 0: if isRunning { pool.crash(index) }
      case 1, 2: if isRunning { pool.stop(index) }
      case 3...6: if !isRunning { pool.start(index) }
      case 7: if index != other { pool.cut(from: index, to: other) }
      case 8: pool.heal()
      case 9: pool.deleteAnySA(at: index)
      case 10: pool.moveAddress(of: index)
      case 11:
        pool.rekey(index, times: 8, every: .milliseconds(Int.random(in: 300...1500, using: &script)))
        pool.rekey(other, times: 8, every: .seconds(1))
      case 12: if index != other { pool.setReachable(Bool.random(using: &script), other, at: index) }
      default: pool.conditions.loss = Int.random(in: 0...500, using: &script)
      }
      pool.run(for: .milliseconds(Int.random(in: 0...1500, using: &script)))
    }
    pool.conditions = .lan
    pool.faults = KeyPool.Faults()
    pool.heal()
    for index in pool.hosts.indices where pool.hosts[index].core == nil { pool.start(index) }
    for index in pool.hosts.indices {
      for other in pool.hosts.indices where other != index { pool.setReachable(true, other, at: index) }
    }
    return pool
  }

  @Test(arguments: 1...60 as ClosedRange<UInt64>)
  func whateverHappenedNoKeyIsUsedTwiceAndAllPairsStandAgain(seed: UInt64) {
    var pool = Self.storm(hosts: 2 + Int(seed % 4), seed: seed, steps: 30)
    pool.run(for: .seconds(12))
    #expect(pool.allFlowsStand())
    #expect(pool.failures == [], "\(pool.trace.suffix(60).joined(separator: "\n"))")
  }

  @Test(arguments: 1...40 as ClosedRange<UInt64>)
  func aKernelThatRefusesNowAndThenOnlyDelays(seed: UInt64) {
    let faults = KeyPool.Faults(spiTaken: 100, refused: 100, burnt: 50)
    var pool = Self.storm(hosts: 2 + Int(seed % 3), seed: seed, steps: 25, faults: faults)
    pool.quiet(for: .seconds(100))
    #expect(pool.allFlowsStand())
    #expect(pool.failures == [])
  }
}
