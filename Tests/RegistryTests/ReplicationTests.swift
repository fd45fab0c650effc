import Testing
import Wire

@testable import Registry

@Suite struct ReplicationTests {
  private static let rough = PoolSimulation.Network(loss: 0.2, duplication: 0.1, delay: 1...60)

  private func spec(_ number: UInt64) throws -> NetworkSpec {
    NetworkSpec(id: net(number), name: try NetworkName("net\(number)"), encryption: .off, mtu: try NetworkMTU(1400))
  }

  /// Random changes everywhere: VIFs come, speak, go; networks are made and changed.
  private func churn(_ pool: inout PoolSimulation, steps: Int, seed: UInt64) throws {
    var generator = SeededGenerator(seed: seed)
    for step in 0..<steps {
      guard let id = pool.ids.randomElement(using: &generator) else { return }
      let vif = "v\(Int.random(in: 0..<4, using: &generator))"
      let guest = mac(.random(in: 1...6, using: &generator))
      switch Int.random(in: 0..<8, using: &generator) {
      case 0...1: pool.run(id) { $0.attach(vif: vif, network: net(1), isNetback: false, mac: nil, vm: "vm", now: $1) }
      case 2...5: pool.run(id) { $0.frame(vif: vif, mac: guest, ips: [], now: $1) }
      case 6: pool.run(id) { $0.detach(vif: vif, now: $1) }
      default:
        let number = UInt64(step + 2)
        try pool.run(id) { try $0.createNetwork(try spec(number), now: $1, sign: TestKey.sign(id)) }
      }
      pool.wait(.milliseconds(Int.random(in: 1...400, using: &generator)))
    }
  }

  @Test(arguments: [1, 2, 3, 8], 0..<4)
  func allAgreeAfterChurnOverALossyNetwork(_ count: UInt64, _ seed: UInt64) throws {
    var pool = PoolSimulation(count: count, seed: seed, network: Self.rough)
    for id in pool.ids { pool.run(id) { $0.setNetworkStatus(net(1), .stands, now: $1) } }
    try churn(&pool, steps: 60, seed: seed)
    let time = pool.timeToAgree(limit: .seconds(20))
    #expect(time != nil, "\(pool.disagreement() ?? "")")
    #expect(pool.rejections.isEmpty)
  }

  @Test func thirtyTwoHostsAgreeAfterChurnOverALossyNetwork() throws {
    var pool = PoolSimulation(count: 32, seed: 5, network: Self.rough)
    for id in pool.ids { pool.run(id) { $0.setNetworkStatus(net(1), .stands, now: $1) } }
    try churn(&pool, steps: 30, seed: 5)
    #expect(pool.timeToAgree(limit: .seconds(20)) != nil, "\(pool.disagreement() ?? "")")
    #expect(pool.rejections.isEmpty)
  }

  @Test func onAGoodNetworkAChangeIsEverywhereAfterOneWayAndConfirmedAfterTwo() {
    var pool = PoolSimulation(count: 8, seed: 1, network: .init(delay: 1...1))
    pool.wait(.seconds(3))
    #expect(pool.disagreement() == nil)
    let before = pool.datagrams
    pool.run(hostID(1)) { $0.attach(vif: "a", network: net(1), isNetback: false, mac: nil, vm: nil, now: $1) }
    pool.run(hostID(1)) { $0.frame(vif: "a", mac: mac(1), ips: [], now: $1) }
    pool.wait(.milliseconds(2))
    for id in pool.ids { #expect(pool.nodes[id]?.owner(of: mac(1)) == hostID(1)) }
    pool.wait(.milliseconds(3))
    #expect(pool.nodes[hostID(1)]?.isConfirmed == true)
    pool.wait(.milliseconds(500))
    // Seven times a change, seven times an answer, and the adverts of half a second.
    #expect(pool.datagrams - before <= 7 + 7 + 8)
  }

  @Test func aQuietPoolSendsNothingButAdvertsAndDigests() {
    var pool = PoolSimulation(count: 8, seed: 2)
    pool.wait(.seconds(30))
    let (datagrams, bytes, syncs) = (pool.datagrams, pool.syncBytes, pool.syncs)
    pool.wait(.seconds(60))
    #expect(pool.datagrams - datagrams <= 8 * 61)
    #expect((20...50).contains(pool.syncs - syncs))
    // A digest names each host and carries no record.
    #expect(pool.syncBytes - bytes < (pool.syncs - syncs) * 600)
  }

  @Test func aHostWithThousandsOfMACsIsTakenUpBySync() {
    var pool = PoolSimulation(count: 3, seed: 3)
    pool.wait(.seconds(2))
    for vif in 0..<300 {
      pool.nodes[hostID(1)].map { registry in
        var registry = registry
        _ = registry.attach(vif: "v\(vif)", network: net(1), isNetback: false, mac: nil, vm: "vm-\(vif)", now: pool.now)
        for guest in 0..<8 {
          _ = registry.frame(vif: "v\(vif)", mac: mac(UInt64(vif * 8 + guest + 1)), ips: [], now: pool.now)
        }
        pool.nodes[hostID(1)] = registry
      }
    }
    pool.run(hostID(1)) { _, _ in [] }
    #expect(pool.timeToAgree(limit: .seconds(10)) != nil, "\(pool.disagreement() ?? "")")
    #expect(pool.nodes[hostID(3)]?.owners(of: net(1)).count == 2400)
    // One more moves by a datagram, not by all of it again.
    let bytes = pool.syncBytes
    pool.run(hostID(2)) { $0.attach(vif: "x", network: net(1), isNetback: false, mac: nil, vm: nil, now: $1) }
    pool.run(hostID(2)) { $0.frame(vif: "x", mac: mac(1), ips: [], now: $1) }
    #expect(pool.timeToAgree(limit: .seconds(1)) != nil)
    #expect(pool.nodes[hostID(3)]?.owner(of: mac(1)) == hostID(2))
    #expect(pool.syncBytes - bytes < 2000)
  }

  @Test func aJoinerLearnsFromAnyHolderWhatADeadHostSaid() {
    var pool = PoolSimulation(count: 3, seed: 4)
    pool.run(hostID(3)) { $0.attach(vif: "a", network: net(1), isNetback: false, mac: nil, vm: nil, now: $1) }
    pool.run(hostID(3)) { $0.frame(vif: "a", mac: mac(1), ips: [], now: $1) }
    pool.wait(.seconds(2))
    pool.nodes[hostID(3)] = nil
    for number in [1, 2] as [UInt64] { pool.tellState(of: hostID(3), to: hostID(number), .dead) }
    pool.add(4)
    pool.sync(hostID(4), hostID(2))
    #expect(pool.nodes[hostID(4)]?.binding(net(1), mac(1))?.host == hostID(3))
    pool.tellState(of: hostID(3), to: hostID(4), .dead)
    #expect(pool.nodes[hostID(4)]?.binding(net(1), mac(1))?.isHidden == true)
    #expect(pool.nodes[hostID(4)]?.hostView(hostID(3))?.record == record(3))
  }

  @Test func bothSidesOfACutAgreeWithinFiveSecondsAfterItHeals() throws {
    for seed in 0..<5 as Range<UInt64> {
      var pool = PoolSimulation(count: 6, seed: seed, network: .init(loss: 0.05, delay: 1...20))
      for id in pool.ids {
        pool.run(id) { $0.attach(vif: "v", network: net(1), isNetback: false, mac: nil, vm: nil, now: $1) }
      }
      for number in 1...6 as ClosedRange<UInt64> {
        pool.run(hostID(number)) { $0.frame(vif: "v", mac: mac(number), ips: [], now: $1) }
      }
      pool.wait(.seconds(3))
      let isNear: (HostID) -> Bool = { $0 <= hostID(3) }
      pool.isCut = { isNear($0) != isNear($1) }
      for id in pool.ids {
        for other in pool.ids where isNear(id) != isNear(other) { pool.tellState(of: other, to: id, .dead) }
      }
      // Both sides work alone: MACs move, networks are made.
      pool.run(hostID(2)) { $0.frame(vif: "v", mac: mac(1), ips: [], now: $1) }
      pool.run(hostID(5)) { $0.frame(vif: "v", mac: mac(4), ips: [], now: $1) }
      pool.run(hostID(6)) { $0.frame(vif: "v", mac: mac(2), ips: [], now: $1) }
      for number in [1, 6] as [UInt64] {
        try pool.run(hostID(number)) {
          try $0.createNetwork(try spec(number + 50), now: $1, sign: TestKey.sign(hostID(number)))
        }
      }
      pool.wait(.seconds(60))
      #expect(pool.nodes[hostID(3)]?.owner(of: mac(1)) == hostID(2))
      pool.isCut = { _, _ in false }
      for id in pool.ids {
        for other in pool.ids where isNear(id) != isNear(other) { pool.tellState(of: other, to: id, .alive) }
      }
      #expect(pool.timeToAgree(limit: .seconds(5)) != nil, "\(pool.disagreement() ?? "")")
      #expect(pool.nodes[hostID(1)]?.networks.count == 2)
    }
  }

  @Test func aRestartedAgentGetsItsClaimsBackFromItsPeersWithTheirSequences() {
    var pool = PoolSimulation(count: 3, seed: 6)
    for number in [1, 2] as [UInt64] {
      pool.run(hostID(number)) { $0.attach(vif: "v", network: net(1), isNetback: false, mac: nil, vm: "web", now: $1) }
    }
    pool.run(hostID(1)) { $0.frame(vif: "v", mac: mac(1), ips: [], now: $1) }
    pool.wait(.seconds(1))
    pool.run(hostID(2)) { $0.frame(vif: "v", mac: mac(1), ips: [.v4(9)], now: $1) }
    pool.wait(.seconds(1))
    #expect(pool.nodes[hostID(3)]?.binding(net(1), mac(1))?.sequence.value == 2)
    // The agent of host 2 starts again; nothing of it is on disk; its guest is silent.
    pool.add(2, boot: 2)
    for id in pool.ids where id != hostID(2) {
      pool.tellState(of: hostID(2), to: id, .alive)
      pool.tellState(of: id, to: hostID(2), .alive)
    }
    pool.run(hostID(2)) { $0.attach(vif: "v", network: net(1), isNetback: false, mac: nil, vm: "web", now: $1) }
    pool.wait(.milliseconds(100))
    pool.sync(hostID(2), hostID(3))
    pool.run(hostID(2)) { $0.synced(now: $1) + $0.markComplete(now: $1) }
    #expect(pool.timeToAgree(limit: .seconds(2)) != nil, "\(pool.disagreement() ?? "")")
    #expect(pool.nodes[hostID(1)]?.binding(net(1), mac(1)) == Binding(host: hostID(2), sequence: MobilitySequence(2)))
    #expect(pool.nodes[hostID(1)]?.bindings(of: net(1)).first?.ips == [.v4(9)])
  }

  @Test func aHundredAndFiftyHostsSpreadAChangeAsAnEpidemic() {
    var pool = PoolSimulation(count: 150, seed: 7)
    pool.wait(.seconds(2))
    let before = pool.datagrams
    pool.run(hostID(1)) { $0.attach(vif: "a", network: net(1), isNetback: false, mac: nil, vm: nil, now: $1) }
    pool.run(hostID(1)) { $0.frame(vif: "a", mac: mac(1), ips: [], now: $1) }
    pool.wait(.milliseconds(60))
    let reached = pool.ids.filter { pool.nodes[$0]?.owner(of: mac(1)) == hostID(1) }.count
    #expect(reached >= 148)
    #expect(pool.datagrams - before < 150 * 14)
    pool.wait(.seconds(5))
    let later = pool.ids.filter { pool.nodes[$0]?.owner(of: mac(1)) == hostID(1) }.count
    #expect(later == 150)
  }

  @Test func theSameSeedGivesTheSameTrace() throws {
    func trace(_ seed: UInt64) throws -> [String] {
      var pool = PoolSimulation(count: 5, seed: seed, network: Self.rough)
      pool.keepsTrace = true
      try churn(&pool, steps: 30, seed: seed)
      pool.wait(.seconds(20))
      return pool.trace
    }
    let first = try trace(11)
    #expect(first.count > 200)
    #expect(try trace(11) == first)
    #expect(try trace(12) != first)
  }
}
