import Testing
import Wire

@testable import Registry

@Suite struct BootLedgerTests {
  @Test func aBatchAboveAGapCountsAtOnceButDoesNotAdvance() {
    var owner = TestOwner(1)
    let first = owner.claim(mac(1), .live(1))
    let second = owner.claim(mac(2), .live(1))
    let third = owner.claim(mac(3), .live(1))
    var ledger = BootLedger(boot: bootOf(1))
    let outcome = ledger.apply(third)
    #expect(outcome.hasGap)
    #expect(outcome.changes.count == 1)
    #expect(ledger.version == 0)
    _ = ledger.apply(first)
    #expect(ledger.version == 1)
    _ = ledger.apply(second)
    #expect(ledger.version == 3)
    #expect(ledger.batches(after: 0)?.count == 3)
  }

  @Test func anOlderStatementNeverReplacesALaterOne() {
    var owner = TestOwner(1)
    let old = owner.claim(mac(1), .live(1))
    let new = owner.claim(mac(1), .live(5))
    var ledger = BootLedger(boot: bootOf(1))
    _ = ledger.apply(new)
    _ = ledger.apply(old)
    #expect(ledger.statements[.claim(net(1), mac(1))]?.value == Claim.live(5).bytes)
    #expect(ledger.version == 2)
  }

  @Test func aHolderBelowThePurgeFloorGetsASnapshotAndDropsWhatIsGone() {
    var owner = TestOwner(1)
    var ledger = BootLedger(boot: bootOf(1))
    _ = ledger.apply(owner.claim(mac(1), .live(1)))
    _ = ledger.apply(owner.claim(mac(2), .live(1)))
    // Not heard: the first MAC is withdrawn, other things happen, and the withdrawal is forgotten.
    _ = owner.claim(mac(1), Claim(state: .withdrawn, sequence: MobilitySequence(1)))
    for number in 10..<100 { _ = owner.claim(mac(UInt64(number)), .live(1)) }
    owner.statements.purge(.claim(net(1), mac(1)))
    let snapshot = owner.statements.batches(after: ledger.version, maximum: Batch.datagramSize, TestKey.sign(owner.id))
    #expect(snapshot.first?.header.from == 0)
    #expect(snapshot.count > 1)
    for (index, batch) in snapshot.enumerated() {
      _ = ledger.apply(batch)
      // It stays until the owner has told all: it might have been said again further on.
      if index < snapshot.count - 1 { #expect(ledger.statements[.claim(net(1), mac(1))] != nil) }
    }
    #expect(ledger.version == owner.statements.version)
    #expect(ledger.statements[.claim(net(1), mac(1))] == nil)
    #expect(ledger.statements[.claim(net(1), mac(2))] != nil)
    #expect(ledger.statements.count == 91)
  }

  @Test func aHolderAboveThePurgeFloorGetsOnlyTheDifference() {
    var owner = TestOwner(1)
    _ = owner.claim(mac(1), Claim(state: .withdrawn, sequence: MobilitySequence(1)))
    owner.statements.purge(.claim(net(1), mac(1)))
    for number in 10..<120 { _ = owner.claim(mac(UInt64(number)), .live(1)) }
    let difference = owner.statements.batches(after: 20, maximum: Batch.maximumSize, TestKey.sign(owner.id))
    #expect(difference.count == 1)
    #expect(difference.first?.header.from == 20)
    #expect(difference.first?.statements.count == 91)
  }

  @Test func aLongChainIsReplacedByASnapshotOfTheSame() {
    var owner = TestOwner(1)
    var ledger = BootLedger(boot: bootOf(1))
    for number in 0..<70 { _ = ledger.apply(owner.claim(mac(UInt64(number)), .live(1))) }
    #expect(ledger.wantsCompaction)
    let before = ledger.statements
    let snapshot = owner.statements.batches(after: 0, maximum: Batch.datagramSize, TestKey.sign(owner.id))
    #expect(snapshot.first.map { ledger.holds($0.bytes, $0.header) } == false)
    for batch in snapshot { _ = ledger.apply(batch) }
    #expect(!ledger.wantsCompaction)
    #expect(ledger.statements.keys == before.keys)
    var copy = BootLedger(boot: bootOf(1))
    for batch in ledger.batches(after: 0) ?? [] { _ = copy.apply(batch) }
    #expect(copy.version == 70)
    #expect(copy.statements == ledger.statements)
  }

  @Test func aRelayServesEveryHolderWithoutGaps() throws {
    var owner = TestOwner(1)
    var relay = BootLedger(boot: bootOf(1))
    for number in 0..<30 { _ = relay.apply(owner.claim(mac(UInt64(number % 7)), .live(UInt64(number + 1)))) }
    for after in 0..<30 {
      var holder = BootLedger(boot: bootOf(1))
      for batch in try #require(relay.batches(after: 0)) where batch.header.to <= Version(after) {
        _ = holder.apply(batch)
      }
      for batch in try #require(relay.batches(after: holder.version)) { _ = holder.apply(batch) }
      #expect(holder.version == 30)
      #expect(holder.statements == relay.statements)
    }
  }

  /// Commutative, associative, idempotent: any order, any repetition, recut batches, purging in between.
  @Test(arguments: 0..<40)
  func anyOrderOfBatchesEndsInTheOwnersState(_ seed: UInt64) {
    var generator = SeededGenerator(seed: seed)
    var owner = TestOwner(1)
    var sent: [Batch] = []
    for _ in 0..<60 {
      let number = UInt64.random(in: 0..<8, using: &generator)
      let key = StatementKey.claim(net(1), mac(number))
      let isWithdrawal = Int.random(in: 0..<3, using: &generator) == 0
      let sequence = MobilitySequence(.random(in: 1..<50, using: &generator))
      sent += owner.say(key, Claim(state: isWithdrawal ? .withdrawn : .live, sequence: sequence).bytes)
      if isWithdrawal, Bool.random(using: &generator) { owner.statements.purge(key) }
      if Int.random(in: 0..<6, using: &generator) == 0 {
        let after = Version.random(in: 0...owner.statements.version, using: &generator)
        let size = Bool.random(using: &generator) ? 600 : Batch.maximumSize
        sent += owner.statements.batches(after: after, maximum: size, TestKey.sign(owner.id))
      }
    }
    for _ in 0..<25 {
      var ledger = BootLedger(boot: bootOf(1))
      for batch in sent.shuffled(using: &generator) where Int.random(in: 0..<4, using: &generator) > 0 {
        _ = ledger.apply(batch)
        if Bool.random(using: &generator) { _ = ledger.apply(batch) }
      }
      // The repair: what follows the version that was reached.
      for batch in owner.statements.batches(after: ledger.version, maximum: 600, TestKey.sign(owner.id)) {
        _ = ledger.apply(batch)
      }
      #expect(ledger.version == owner.statements.version)
      #expect(contending(ledger.statements) == contending(owner.statements.current))
    }
  }

  /// What decides bindings; withdrawals are forgotten by each host in its own time.
  private func contending(_ statements: [StatementKey: Statement]) -> [StatementKey: [UInt8]] {
    statements.compactMapValues { statement in
      (try? Claim(bytes: statement.value))?.contends == true ? statement.value : nil
    }
  }
}
