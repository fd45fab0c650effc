import Membership
import Registry
import Testing
import Wire

private typealias Agents = Simulation<AgentNode>

extension Simulation where Node == AgentNode {
  fileprivate static func formed(_ count: Int, seed: UInt64, conditions: NetworkConditions = .lan) -> Self {
    var pool = Self(count, seed: seed, conditions: conditions) { AgentNode(host: $0, boot: $1, seed: $2) }
    pool.startAll()
    if pool.run(atMost: .seconds(30), until: { $0.agrees() }) == nil { Issue.record("the pool does not form") }
    return pool
  }

  fileprivate var running: [Int] { hosts.indices.filter { hosts[$0].condition == .running } }

  fileprivate static func mac(_ number: Int) -> MACAddress { MACAddress(0x0016_3e00_0000 + UInt64(number)) ?? .zero }

  fileprivate func owner(_ number: Int, at index: Int) -> Binding? {
    hosts[index].node.registry.binding(AgentNode.network, Self.mac(number))
  }

  fileprivate mutating func speak(_ index: Int, _ number: Int) {
    input(index) { node, now in node.vif("v\(number)", now: now) + node.frame("v\(number)", Self.mac(number), now: now)
    }
  }

  /// Every running host holds every other's statements to the last and the same owners.
  fileprivate func agrees() -> Bool {
    guard let first = running.first else { return true }
    let owners = hosts[first].node.registry.owners(of: AgentNode.network)
    return running.allSatisfy { index in
      let registry = hosts[index].node.registry
      return registry.owners(of: AgentNode.network) == owners
        && registry.poolHash == hosts[first].node.registry.poolHash
        && running.allSatisfy { other in
          let view = registry.hostView(hosts[other].id)
          return other == index
            || (view?.boot == hosts[other].boot && view?.version == hosts[other].node.registry.ownVersion
              && view?.isComplete == true && view?.isHidden == false)
        }
    }
  }
}

@Suite struct RegistryPoolTests {
  @Test(arguments: PoolCase.of([1, 2, 3, 8, 32], seeds: 2))
  func movesOverABadNetworkAreAgreedUpon(size: PoolCase) throws {
    var pool = Agents.formed(size.hosts, seed: size.seed, conditions: .bad)
    var script = SeededGenerator(seed: size.seed)
    for _ in 0..<20 {
      pool.speak(.random(in: 0..<size.hosts, using: &script), .random(in: 1...6, using: &script))
      pool.run(for: .milliseconds(Int.random(in: 0...700, using: &script)))
    }
    let time = try #require(pool.run(atMost: .seconds(20)) { $0.agrees() })
    #expect(time <= .seconds(10))
    #expect(pool.hosts.allSatisfy { $0.node.rejections.isEmpty })
    #expect(pool.hosts.allSatisfy { $0.largestPacket <= GossipPacket.maximumSize })
  }

  @Test(arguments: PoolCase.of([3, 8, 32], seeds: 2))
  func afterACutOfAMinuteInWhichBothSidesMovedMACsAllAgreeWithinFiveSeconds(size: PoolCase) throws {
    let count = size.hosts
    var pool = Agents.formed(count, seed: size.seed)
    pool.speak(0, 1)
    pool.speak(count - 1, 2)
    pool.run(for: .seconds(1))
    pool.partition(Array(0..<count / 2), Array(count / 2..<count))
    pool.run(for: .seconds(30))
    // The far owner is dead but keeps the MAC until somebody claims it.
    #expect(
      pool.owner(2, at: 0) == Binding(host: pool.hosts[count - 1].id, sequence: MobilitySequence(1), isHidden: true))
    pool.speak(0, 2)
    pool.speak(count - 1, 1)
    pool.run(for: .seconds(30))
    #expect(pool.owner(2, at: 0)?.host == pool.hosts[0].id)
    #expect(pool.owner(1, at: count - 1)?.host == pool.hosts[count - 1].id)
    pool.heal()
    let time = try #require(pool.run(atMost: .seconds(30)) { $0.agrees() })
    #expect(time <= .seconds(5))
  }

  @Test(arguments: [1, 2, 3] as [UInt64])
  func aKilledAgentThatStartsAgainMovesNoMAC(seed: UInt64) throws {
    var pool = Agents.formed(5, seed: seed)
    pool.speak(1, 1)
    pool.run(for: .seconds(1))
    let moves = [0, 2, 3, 4].map { pool.hosts[$0].node.moves.count }
    pool.kill(1)
    pool.run(for: .seconds(1))
    pool.start(1)
    pool.input(1) { node, now in node.vif("v1", now: now) }
    let time = try #require(pool.run(atMost: .seconds(20)) { $0.agrees() })
    #expect(time <= .seconds(5))
    #expect([0, 2, 3, 4].map { pool.hosts[$0].node.moves.count } == moves)
    #expect(pool.owner(1, at: 0) == Binding(host: pool.hosts[1].id, sequence: MobilitySequence(1)))
  }

  @Test(arguments: [1, 2, 3] as [UInt64])
  func aCrashedHostsMACsAreHiddenAndItsReturnRestoresThem(seed: UInt64) throws {
    var pool = Agents.formed(5, seed: seed)
    pool.speak(1, 1)
    pool.run(for: .seconds(1))
    #expect(pool.hosts[0].node.registry.floodList(AgentNode.network) == [pool.hosts[1].id])
    pool.crash(1)
    _ = try #require(pool.run(atMost: .seconds(20)) { $0.owner(1, at: 0)?.isHidden == true })
    #expect(pool.hosts[0].node.registry.floodList(AgentNode.network).isEmpty)
    pool.start(1)
    pool.input(1) { node, now in node.vif("v1", now: now) }
    _ = try #require(pool.run(atMost: .seconds(20)) { $0.agrees() })
    #expect(pool.owner(1, at: 0) == Binding(host: pool.hosts[1].id, sequence: MobilitySequence(1)))
    #expect(pool.hosts[0].node.registry.floodList(AgentNode.network) == [pool.hosts[1].id])
  }

  @Test func theSameSeedGivesTheSameTraceOfAgents() {
    func trace(_ seed: UInt64) -> (lines: [String], fingerprint: UInt64) {
      var pool = Agents.formed(6, seed: seed, conditions: .bad)
      for number in 1...5 {
        pool.speak(number, number)
        pool.speak(number - 1, number)
        pool.run(for: .seconds(3))
      }
      return (pool.trace, pool.fingerprint)
    }
    let first = trace(3)
    let second = trace(3)
    #expect(first.lines == second.lines)
    #expect(first.fingerprint == second.fingerprint)
    #expect(trace(4).fingerprint != first.fingerprint)
  }
}
