import Associations
import Testing
import Wire

/// The life of SAs in a pool; what `KeyPool` checks at every step is part of each of these.
struct KeyTests {
  @Test(arguments: PoolCase.of([2, 3, 5, 8], seeds: 5))
  func keysStandOneRoundTripAfterTwoHostsKnowEachOther(size: PoolCase) {
    var pool = KeyPool(size.hosts, seed: size.seed, packetInterval: .milliseconds(1))
    for index in pool.hosts.indices { pool.start(index) }
    pool.run(for: .seconds(1))
    #expect(pool.failures == [])
    #expect(pool.isConverged())
    #expect(pool.allFlowsStand())
  }

  @Test(arguments: PoolCase.of([2, 4], seeds: 20))
  func lostFramesCostOneRepetitionEach(size: PoolCase) {
    var pool = KeyPool(size.hosts, seed: size.seed)
    pool.conditions = .bad
    pool.conditions.loss = 300
    for index in pool.hosts.indices { pool.start(index) }
    pool.run(for: .seconds(20))
    #expect(pool.failures == [])
    #expect(pool.allFlowsStand())
  }

  @Test(arguments: PoolCase.of([2, 3], seeds: 4))
  func aRekeyEverySecondForAMinuteAtAllHostsLosesNothing(size: PoolCase) {
    var pool = KeyPool.settled(size.hosts, seed: size.seed)
    pool.conditions = .bad
    let before = pool.epochs
    for index in pool.hosts.indices {
      pool.run(for: .milliseconds(Int.random(in: 0...30, using: &pool.generator)))
      pool.rekey(index, times: 60, every: .seconds(1))
    }
    pool.run(for: .seconds(62))
    #expect(zip(pool.epochs, before).allSatisfy { $0 >= $1 + 59 })
    #expect(pool.failures == [])
    #expect(pool.lost == 0)
    pool.quiet()
    #expect(pool.isConverged())
  }

  /// The cut keeps away what one end says of its SAs, so the other waits with four of them.
  @Test(arguments: 1...10 as ClosedRange<UInt64>, [false, true])
  func aOneWayCutWithRekeysLosesNothingInTheOpenDirection(seed: UInt64, isNoticed: Bool) {
    var pool = KeyPool.settled(2, seed: seed, packetInterval: .milliseconds(10))
    pool.conditions = NetworkConditions(longestDelay: .milliseconds(40))
    pool.cut(from: 1, to: 0)
    if isNoticed { pool.setReachable(false, 1, at: 0) }
    pool.rekey(0, times: 90, every: .seconds(1))
    pool.rekey(1, times: 90, every: .seconds(1))
    pool.run(for: .seconds(90))
    let open = pool.flows[0][1]
    #expect(open.lost == 0)
    // The rest is on its way.
    #expect(open.delivered >= open.sent - 5)
    if !isNoticed { #expect(pool.status(0, 1)?.isWaiting == true || pool.status(1, 0)?.isWaiting == true) }
    pool.heal()
    if isNoticed { pool.setReachable(true, 1, at: 0) }
    pool.run(for: .seconds(7))
    #expect(pool.status(0, 1)?.isConfirmed == true && pool.status(1, 0)?.isConfirmed == true)
    pool.quiet()
    #expect(pool.failures == [])
    #expect(pool.lost == 0)
    #expect(pool.isConverged())
  }

  @Test(arguments: PoolCase.of([2, 4], seeds: 10))
  func aRestartedAgentTakesOverWithoutLoss(size: PoolCase) {
    var pool = KeyPool.settled(size.hosts, seed: size.seed)
    pool.conditions = .bad
    for _ in 0..<6 {
      let index = Int.random(in: pool.hosts.indices, using: &pool.generator)
      pool.stop(index)
      pool.run(for: .milliseconds(Int.random(in: 1...3000, using: &pool.generator)))
      pool.start(index)
      pool.run(for: .milliseconds(Int.random(in: 1...1500, using: &pool.generator)))
    }
    #expect(pool.lost == 0)
    pool.quiet()
    #expect(pool.failures == [])
    #expect(pool.isConverged())
  }

  @Test(arguments: PoolCase.of([2, 4], seeds: 10))
  func aMachineThatComesBackHasKeysAfterOneRoundTrip(size: PoolCase) {
    var pool = KeyPool.settled(size.hosts, seed: size.seed)
    pool.rekey(0, times: 6, every: .seconds(1))
    for _ in 0..<3 {
      pool.crash(1)
      pool.run(for: .milliseconds(Int.random(in: 500...8000, using: &pool.generator)))
      pool.start(1)
      pool.run(for: .seconds(1))
      #expect(pool.allFlowsStand())
    }
    pool.quiet()
    #expect(pool.failures == [])
    #expect(pool.isConverged())
  }

  @Test(arguments: PoolCase.of([2, 3], seeds: 10))
  func anSATakenAwayByHandIsMadeUpForByNewKeys(size: PoolCase) {
    var pool = KeyPool.settled(size.hosts, seed: size.seed)
    for _ in 0..<5 {
      pool.deleteAnySA(at: Int.random(in: pool.hosts.indices, using: &pool.generator))
      pool.run(for: .seconds(3))
      #expect(pool.allFlowsStand())
    }
    pool.quiet()
    #expect(pool.failures == [])
    #expect(pool.isConverged())
  }

  @Test(arguments: PoolCase.of([2, 3], seeds: 10))
  func aNewAddressHasNewKeysAndTheOldOnesGo(size: PoolCase) {
    var pool = KeyPool.settled(size.hosts, seed: size.seed)
    for _ in 0..<3 {
      pool.moveAddress(of: Int.random(in: pool.hosts.indices, using: &pool.generator))
      pool.run(for: .milliseconds(Int.random(in: 0...2500, using: &pool.generator)))
    }
    pool.run(for: .seconds(2))
    #expect(pool.allFlowsStand())
    pool.quiet()
    #expect(pool.failures == [])
    #expect(pool.isConverged())
  }

  @Test(arguments: 1...10 as ClosedRange<UInt64>)
  func anEvictedHostIsCutOffAtOnce(seed: UInt64) {
    var pool = KeyPool.settled(4, seed: seed)
    pool.rekey(2, times: 3, every: .seconds(1))
    pool.run(for: .milliseconds(1500))
    let gone = pool.hosts[1].vtep
    pool.evict(1)
    for index in [0, 2, 3] {
      #expect(pool.hosts[index].kernel.associations.allSatisfy { $0.remote != gone })
    }
    pool.quiet()
    #expect(pool.failures == [])
    #expect(pool.lost == 0)
    #expect(pool.isConverged())
  }

  @Test func theSameSeedGivesTheSameTrace() {
    let one = KeyChaosTests.storm(hosts: 4, seed: 77, steps: 15)
    let other = KeyChaosTests.storm(hosts: 4, seed: 77, steps: 15)
    #expect(one.trace == other.trace)
    #expect(one.trace.count > 100)
    #expect(KeyChaosTests.storm(hosts: 4, seed: 78, steps: 15).trace != one.trace)
  }
}

extension KeyPool {
  var epochs: [UInt64] { hosts.map(\.drawn) }

  /// Packets that were lost for want of an SA.
  var lost: Int {
    let members = hosts.indices.filter { !hosts[$0].isEvicted }
    return members.reduce(0) { sum, source in members.reduce(sum) { $0 + flows[source][$1].lost } }
  }

  func status(_ index: Int, _ other: Int) -> PeerStatus? {
    hosts[index].core?.status(of: hosts[other].id)
  }

  func allFlowsStand() -> Bool {
    hosts.indices.allSatisfy { index in hosts.indices.allSatisfy { $0 == index || flows[index][$0].stands } }
  }
}
