import Testing
import Wire

@testable import Registry

/// Bytes from outside: mutated, cut, random. Nothing traps, and nothing that is wrong is taken up.
@Suite struct HostileBytesTests {
  /// Some bytes changed, cut off, doubled or put in, by lot.
  private func mutate(_ bytes: [UInt8], _ generator: inout SeededGenerator) -> [UInt8] {
    var result = bytes
    for _ in 0..<Int.random(in: 1...4, using: &generator) {
      switch Int.random(in: 0..<6, using: &generator) {
      case 0 where !result.isEmpty:
        result[Int.random(in: result.indices, using: &generator)] = .random(in: 0...255, using: &generator)
      case 1 where !result.isEmpty:
        result[Int.random(in: result.indices, using: &generator)] ^= 1 << UInt8.random(in: 0..<8, using: &generator)
      case 2: result = Array(result.prefix(Int.random(in: 0...result.count, using: &generator)))
      case 3:
        let count = Int.random(in: 1...16, using: &generator)
        let position = Int.random(in: 0...result.count, using: &generator)
        result.insert(
          contentsOf: (0..<count).map { _ in UInt8.random(in: 0...255, using: &generator) }, at: position)
      case 4 where result.count > 8:
        let position = Int.random(in: 0..<result.count - 8, using: &generator)
        for index in position..<position + 8 { result[index] = 0xff }
      default: result += result.suffix(Int.random(in: 0...8, using: &generator))
      }
    }
    return result
  }

  private func owner() -> (owner: TestOwner, batches: [Batch]) {
    var owner = TestOwner(5)
    var batches = owner.begin()
    batches += owner.say(.network(net(1)), NetworkStatus(standing: .fails("why"), hasVIF: true).bytes)
    batches.append(
      owner.claim(
        mac(1),
        Claim(
          state: .live, sequence: MobilitySequence(3), ips: [.v4(1)], vif: "vif1.0", vm: "web",
          others: [Claim.OtherVIF(vif: "a", vm: "b")])))
    batches += owner.say(.unknown(kind: 99, [1]), [1, 2])
    return (owner, batches)
  }

  private func fullRegistry() throws -> Registry {
    var registry = Registry.started(1)
    registry.hear(owner().batches)
    let spec = NetworkSpec(id: net(1), name: try NetworkName("blue"), encryption: .off, mtu: try NetworkMTU(1400))
    let sign = TestKey.sign(registry.host)
    _ = try registry.createNetwork(spec, now: at(0), sign: sign)
    _ = try registry.admit(hostID(5), certificate: [1, 2, 3], now: at(0), sign: sign)
    _ = try registry.setNetwork(net(1), .option("o", "v"), now: at(0), sign: sign)
    return registry
  }

  @Test(arguments: 0..<8)
  func noMutationOfAValueTraps(_ seed: UInt64) throws {
    var generator = SeededGenerator(seed: seed)
    let values = owner().batches.flatMap(\.statements).map(\.value)
    let keys = owner().batches.flatMap(\.statements).map(\.key.bytes)
    var refused = 0
    for _ in 0..<2000 {
      for value in values {
        let bytes = mutate(value, &generator)
        if (try? HostRecord(bytes: bytes)) == nil { refused += 1 }
        _ = try? NetworkStatus.read(bytes)
        _ = try? Claim(bytes: bytes)
        _ = try? NetworkCreation(bytes: bytes)
      }
      for key in keys {
        _ = try? StatementKey(bytes: mutate(key, &generator))
        _ = try? PoolRecordKey(bytes: mutate(key, &generator))
      }
    }
    #expect(refused > 1000)
  }

  @Test(arguments: 0..<8)
  func noMutatedBatchTrapsAndNoneThatIsRelayedIsTakenUp(_ seed: UInt64) {
    var generator = SeededGenerator(seed: seed)
    let batches = owner().batches
    var relayed = Registry.started(1)
    var direct = Registry.started(1)
    var rejected = 0
    for _ in 0..<400 {
      for batch in batches {
        let bytes = mutate(batch.bytes, &generator)
        if bytes == batch.bytes { continue }
        rejected += relayed.receive(.batch(bytes), from: hostID(6), now: at(0), verify: TestKey.verify).rejections.count
        // On the seal anything readable is the owner's word; it must only not trap.
        _ = direct.receive(.batch(bytes), from: hostID(5), now: at(0), verify: TestKey.verify)
        _ = try? direct.hello(hostRecordBatch: bytes, from: hostID(5), now: at(0), verify: TestKey.verify)
        _ = direct.flush()
      }
    }
    #expect(rejected > 1000)
    #expect(relayed.hostView(hostID(5)) == nil)
    #expect(relayed.bindings.isEmpty)
  }

  @Test(arguments: 0..<8)
  func noMutatedRecordTrapsOrIsTakenUp(_ seed: UInt64) throws {
    var generator = SeededGenerator(seed: seed)
    let records = try fullRegistry().poolRecords
    var registry = Registry.started(2)
    for _ in 0..<800 {
      for record in records {
        let bytes = mutate(record, &generator)
        if bytes == record { continue }
        _ = registry.receive(.record(bytes), from: hostID(1), now: at(0), verify: TestKey.verify)
        _ = registry.load(poolRecords: [bytes], floors: [], verify: TestKey.verify)
      }
    }
    #expect(registry.poolRecords.isEmpty)
    #expect(registry.poolHash == 0)
  }

  /// Members are trusted to sign what they like: what an honest decoder accepts must not trap whatever it says.
  @Test(arguments: 0..<8)
  func noMutatedRecordThatIsSignedTraps(_ seed: UInt64) throws {
    var generator = SeededGenerator(seed: seed)
    let records = try fullRegistry().poolRecords
    var registry = Registry.started(2)
    let anyone: Verify = { _, _, _, _ in true }
    for _ in 0..<300 {
      for record in records {
        _ = registry.receive(.record(mutate(record, &generator)), from: hostID(1), now: at(0), verify: anyone)
      }
      _ = registry.networks
      _ = registry.hosts
      _ = registry.revocations
      _ = registry.flush()
    }
    #expect(!registry.poolRecords.isEmpty)
  }

  @Test(arguments: 0..<8)
  func noMutatedSyncMessageTraps(_ seed: UInt64) throws {
    var generator = SeededGenerator(seed: seed)
    var registry = try fullRegistry()
    var other = Registry.started(2)
    let sign = TestKey.sign(hostID(1))
    let request = other.syncRequest(to: hostID(1))
    let answer = registry.syncRespond(request, from: hostID(2), now: at(0), sign: sign, verify: TestKey.verify).response
    var rejected = 0
    for _ in 0..<1500 {
      let (bytes, back) = (mutate(request, &generator), mutate(answer, &generator))
      let responded = registry.syncRespond(bytes, from: hostID(2), now: at(0), sign: sign, verify: TestKey.verify)
      rejected += responded.effects.rejections.count
      _ = registry.syncRespond(back, from: hostID(2), now: at(0), sign: sign, verify: TestKey.verify)
      let ended = other.syncFinish(
        back, from: hostID(1), now: at(0), sign: TestKey.sign(hostID(2)), verify: TestKey.verify)
      if let next = ended.next {
        _ = registry.syncRespond(next, from: hostID(2), now: at(0), sign: sign, verify: TestKey.verify)
      }
      _ = other.seed(ownStatements: back)
    }
    #expect(rejected > 100)
    #expect(SyncMessage.maximumSize >= answer.count)
  }

  @Test func randomBytesAreRefusedEverywhere() {
    var generator = SeededGenerator(seed: 99)
    var registry = Registry.started(1)
    for _ in 0..<3000 {
      let bytes = (0..<Int.random(in: 0..<200, using: &generator)).map { _ in
        UInt8.random(in: 0...255, using: &generator)
      }
      #expect((try? Batch(bytes: bytes)) == nil)
      #expect((try? PoolRecord(bytes: bytes)) == nil)
      #expect((try? SyncMessage(bytes: bytes)) == nil)
      #expect((try? SignedHostRecord(bytes: bytes)) == nil)
      _ = registry.receive(.batch(bytes), from: hostID(2), now: at(0), verify: TestKey.verify)
      _ = registry.receive(.record(bytes), from: hostID(2), now: at(0), verify: TestKey.verify)
    }
    #expect(registry.hosts.map(\.id) == [hostID(1)])
  }

  @Test(arguments: 0..<4)
  func noFrameOfAMemberTraps(_ seed: UInt64) throws {
    var generator = SeededGenerator(seed: seed)
    var registry = try fullRegistry()
    _ = registry.hostState(hostID(5), .alive, boot: bootOf(1), now: at(0))
    let counters: [UInt64] = [0, 1, 2, 3, 1 << 32, 1 << 33, .max - 1, .max]
    func any() -> UInt64 { counters.randomElement(using: &generator) ?? 0 }
    for step in 0..<3000 {
      let owner = hostID(.random(in: 1...6, using: &generator))
      let boot = Boot(counter: any(), nonce: any())
      let frame: GossipFrame =
        switch Int.random(in: 0..<4, using: &generator) {
        case 0: .advert(boot: boot, version: any(), incarnation: any(), poolHash: any())
        case 1: .have(Holding(owner: owner, boot: boot, version: any()))
        case 2: .want(owner: owner, boot: boot, after: any())
        default: .recordsSeen([any(), any()])
        }
      _ = registry.receive(frame, from: hostID(5), now: at(step), verify: TestKey.verify)
      _ = registry.flush(now: at(step))
      _ = registry.advance(to: at(step))
    }
    #expect(registry.hostView(hostID(5))?.boot == bootOf(1))
  }

  @Test func aSequenceAtTheEndOfItsRangeIsNoTrap() {
    var registry = Registry.started(1)
    var owner = TestOwner(5)
    registry.hear(owner.begin())
    // As if the pool had come there step by step.
    registry.index.set(.live(.max - 1), of: hostID(5), at: BindingKey(network: net(1), mac: mac(1)))
    registry.hear([owner.claim(mac(1), .live(.max))])
    _ = registry.attach(vif: "a", network: net(1), isNetback: false, mac: nil, vm: nil, now: at(0))
    _ = registry.frame(vif: "a", mac: mac(1), ips: [], now: at(0))
    #expect(registry.owner(of: mac(1)) == hostID(5))
    #expect(registry.claim(on: mac(1))?.state == .damped)
  }

  @Test func anOwnersStatementsAreBounded() {
    var registry = Registry.started(1)
    var owner = TestOwner(5)
    var rejections: [Rejection.Reason] = []
    for round in 0..<25 {
      for number in 0..<1000 {
        owner.statements.set(.claim(net(1), mac(UInt64(round * 1000 + number))), Claim.live(1).bytes)
      }
      rejections += registry.hear(owner.statements.sign(TestKey.sign(owner.id))).rejections
    }
    #expect(rejections.contains(.tooMany("statements of \(hostID(5))")))
    #expect((registry.ledgers[hostID(5)]?.latest?.statements.count ?? 0) <= BootLedger.statementLimit)
  }
}
