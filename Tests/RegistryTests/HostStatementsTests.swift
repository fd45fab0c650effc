import Testing
import Wire

@testable import Registry

/// Boots, dead hosts, purging: what counts of a host, and when.
@Suite struct HostStatementsTests {
  private func status(_ hasVIF: Bool = true) -> [UInt8] { NetworkStatus(standing: .stands, hasVIF: hasVIF).bytes }

  /// A host with one MAC, through with its start.
  private func running(boot: UInt64 = 1, sequence: UInt64 = 1) -> (owner: TestOwner, batches: [Batch]) {
    var owner = TestOwner(5, boot: boot)
    var batches = owner.say(.host, record(5, boot: boot).bytes)
    batches += owner.say(.network(net(1)), status())
    batches.append(owner.claim(mac(1), .live(sequence)))
    batches += owner.say(.complete, [])
    return (owner, batches)
  }

  @Test func nothingOfABootCountsBeforeItsFirstSetIsCompleteButTheHostRecordDoes() {
    var registry = Registry.started(1)
    let (_, batches) = running()
    let effects = registry.hear(Array(batches.dropLast()))
    #expect(effects.contains(.hostChanged(hostID(5))))
    #expect(registry.hostView(hostID(5))?.record == record(5))
    #expect(registry.sealingKeys(of: hostID(5))?.boot == bootOf(1))
    #expect(registry.owner(of: mac(1)) == nil)
    #expect(registry.floodList(net(1)).isEmpty)
    let last = registry.hear([batches[batches.count - 1]])
    #expect(
      last.contains(
        .bindingChanged(net(1), mac(1), old: nil, new: Binding(host: hostID(5), sequence: MobilitySequence(1)))))
    #expect(last.contains(.floodChanged(net(1))))
    #expect(registry.owner(of: mac(1)) == hostID(5))
    #expect(registry.floodList(net(1)) == [hostID(5)])
  }

  @Test func theMarkOfCompletenessCountsOnlyWithNothingMissingBelowIt() {
    var registry = Registry.started(1)
    let (_, batches) = running()
    registry.hear([batches[0], batches[1], batches[3]])
    #expect(registry.floodList(net(1)).isEmpty)
    registry.hear([batches[2]])
    #expect(registry.floodList(net(1)) == [hostID(5)])
  }

  @Test func restartingAnAgentMovesNoTraffic() {
    var registry = Registry.started(1)
    registry.hear(running().batches)
    let (_, restarted) = running(boot: 2)
    var effects: [Registry.Effect] = []
    for batch in restarted {
      effects += registry.hear([batch])
      #expect(registry.owner(of: mac(1)) == hostID(5))
      #expect(registry.floodList(net(1)) == [hostID(5)])
    }
    #expect(!effects.contains { if case .bindingChanged = $0 { true } else { false } })
    #expect(!effects.contains(.floodChanged(net(1))))
    #expect(registry.boot(of: hostID(5)) == bootOf(2))
  }

  @Test func aNewBootsSetReplacesTheOldOneAsAWhole() {
    var registry = Registry.started(1)
    registry.hear(running().batches)
    var owner = TestOwner(5, boot: 2)
    registry.hear(owner.begin())
    #expect(registry.owner(of: mac(1)) == nil)
    #expect(registry.floodList(net(1)).isEmpty)
  }

  @Test func aLowerBootIsNeverHeardAgain() {
    var registry = Registry.started(1)
    let (_, old) = running(sequence: 9)
    var owner = TestOwner(5, boot: 2)
    registry.hear(owner.begin())
    registry.hear(old)
    #expect(registry.owner(of: mac(1)) == nil)
    #expect(registry.boot(of: hostID(5)) == bootOf(2))
  }

  @Test func aBootCounterOrVersionFarAboveTheKnownOneIsRefused() {
    var registry = Registry.started(1)
    registry.hear(running().batches)
    var far = TestOwner(5, boot: 1 << 40)
    #expect(registry.hear(far.begin()).rejections.contains(.leap("boot counter")))
    #expect(registry.boot(of: hostID(5)) == bootOf(1))
    let header = Batch.Header(owner: hostID(5), boot: bootOf(1), from: 4, to: 1 << 50, asOf: 1 << 50)
    let batch = Batch(header: header, statements: [], sign: TestKey.sign(hostID(5)))
    #expect(registry.hear([batch]).rejections == [.leap("version")])
    var owner = running().owner
    let claim = owner.claim(mac(1), .live(1 << 40))
    #expect(registry.hear([claim]).rejections == [.leap("mobility sequence")])
    #expect(registry.binding(net(1), mac(1))?.sequence.value == 1)
  }

  @Test func aDeadHostsBindingsAreHiddenAndComeBackAtOnceInTheSameBoot() {
    var registry = Registry.started(1)
    registry.hear(running().batches)
    let died = registry.hostState(hostID(5), .dead, boot: bootOf(1), now: at(0))
    #expect(died.contains(.floodChanged(net(1))))
    #expect(registry.floodList(net(1)).isEmpty)
    // The unicast entry stays until someone claims the MAC.
    #expect(registry.binding(net(1), mac(1)) == Binding(host: hostID(5), sequence: MobilitySequence(1), isHidden: true))
    let back = registry.hostState(hostID(5), .alive, boot: bootOf(1), now: at(60_000))
    #expect(back.contains(.floodChanged(net(1))))
    #expect(registry.binding(net(1), mac(1))?.isHidden == false)
    #expect(registry.floodList(net(1)) == [hostID(5)])
  }

  @Test func aHostThatReturnsInANewBootIsHiddenUntilItRestates() {
    var registry = Registry.started(1)
    registry.hear(running().batches)
    _ = registry.hostState(hostID(5), .dead, boot: bootOf(1), now: at(0))
    _ = registry.hostState(hostID(5), .alive, boot: bootOf(2), now: at(1000))
    #expect(registry.binding(net(1), mac(1))?.isHidden == true)
    #expect(registry.floodList(net(1)).isEmpty)
    let (_, restated) = running(boot: 2)
    registry.hear(Array(restated.dropLast()))
    #expect(registry.binding(net(1), mac(1))?.isHidden == true)
    let effects = registry.hear([restated[restated.count - 1]])
    #expect(effects.contains(.floodChanged(net(1))))
    #expect(registry.binding(net(1), mac(1))?.isHidden == false)
    #expect(registry.floodList(net(1)) == [hostID(5)])
  }

  @Test(arguments: [MemberState.suspect, .agentDown, .alive])
  func aHostThatIsNotDeadStaysInForce(_ state: MemberState) {
    var registry = Registry.started(1)
    registry.hear(running().batches)
    _ = registry.hostState(hostID(5), state, boot: bootOf(1), now: at(0))
    #expect(registry.binding(net(1), mac(1))?.isHidden == false)
    #expect(registry.floodList(net(1)) == [hostID(5)])
  }

  @Test func aVisibleClaimBeatsAHiddenOneWhateverTheSequences() {
    var registry = Registry.started(1)
    registry.hear(running(sequence: 9).batches)
    var other = TestOwner(6)
    registry.hear(other.begin())
    registry.hear([other.claim(mac(1), .live(3))])
    #expect(registry.owner(of: mac(1)) == hostID(5))
    _ = registry.hostState(hostID(5), .dead, boot: bootOf(1), now: at(0))
    #expect(registry.owner(of: mac(1)) == hostID(6))
    _ = registry.hostState(hostID(5), .alive, boot: bootOf(1), now: at(0))
    #expect(registry.owner(of: mac(1)) == hostID(5))
  }

  @Test func aDeadHostsStatementsAreForgottenAfterHalfAnHourAndItsFloorIsKept() {
    var registry = Registry.started(1)
    registry.hear(running().batches)
    _ = registry.flush()
    _ = registry.hostState(hostID(5), .dead, boot: bootOf(1), now: at(0))
    _ = registry.advance(to: at(29 * 60_000))
    #expect(registry.owner(of: mac(1)) == hostID(5))
    let effects = registry.advance(to: at(30 * 60_000 + 10_000))
    #expect(effects.events.contains(.purged(hostID(5))))
    #expect(effects.contains(.floorsChanged))
    #expect(registry.owner(of: mac(1)) == nil)
    #expect(registry.floors == [Floor(host: hostID(5), boot: bootOf(1), version: 4)])
    // Where it is to be found stays known.
    #expect(registry.sealingKeys(of: hostID(5)) != nil)
  }

  @Test func whatWasPurgedIsNotBroughtBackByARelay() {
    var registry = Registry.started(1)
    let (_, batches) = running()
    registry.hear(batches)
    _ = registry.flush()
    _ = registry.hostState(hostID(5), .dead, boot: bootOf(1), now: at(0))
    _ = registry.advance(to: at(31 * 60_000))
    for batch in batches {
      _ = registry.receive(.batch(batch.bytes), from: hostID(6), now: at(0), verify: TestKey.verify)
    }
    #expect(registry.owner(of: mac(1)) == nil)
    #expect(registry.ledgers[hostID(5)]?.latest == nil)
    // After a restart of this agent as well.
    var again = Registry(host: hostID(1), boot: bootOf(2), seed: 1)
    _ = again.load(poolRecords: [], floors: registry.floors, verify: TestKey.verify)
    for state in [nil, MemberState.dead] {
      _ = again.hostState(hostID(5), state, boot: bootOf(1), now: at(0))
      for batch in batches {
        _ = again.receive(.batch(batch.bytes), from: hostID(6), now: at(0), verify: TestKey.verify)
      }
      #expect(again.owner(of: mac(1)) == nil)
    }
  }

  @Test func aPurgedHostThatComesBackInItsBootIsTakenUpAsItIsNow() {
    var registry = Registry.started(1)
    var (owner, batches) = running()
    registry.hear(batches)
    _ = registry.flush()
    _ = registry.hostState(hostID(5), .dead, boot: bootOf(1), now: at(0))
    _ = registry.advance(to: at(31 * 60_000))
    batches = [owner.claim(mac(2), .live(1))]
    _ = registry.hostState(hostID(5), .alive, boot: bootOf(1), now: at(32 * 60_000))
    registry.hear(batches)
    let wants = registry.flush().frames.map(\.frame)
    #expect(wants.contains(.want(owner: hostID(5), boot: bootOf(1), after: 0)))
    let fresh = owner.statements.batches(after: 0, maximum: Batch.maximumSize, TestKey.sign(owner.id))
    for batch in fresh.dropLast(2) {
      registry.hear([batch])
      // Not before it is at least what was forgotten.
      #expect(registry.owner(of: mac(1)) == nil)
    }
    registry.hear(fresh)
    #expect(registry.owner(of: mac(1)) == hostID(5))
    #expect(registry.owner(of: mac(2)) == hostID(5))
    #expect(registry.floodList(net(1)) == [hostID(5)])
  }

  @Test func ownBootOrALaterOneInSomebodysMouthIsTold() {
    var registry = Registry.started(1, boot: 4)
    func told(_ frame: GossipFrame) -> Bool {
      registry.receive(frame, from: hostID(2), now: at(0), verify: TestKey.verify).contains {
        if case .ownBootSeen = $0 { true } else { false }
      }
    }
    let version = registry.ownVersion
    #expect(!told(.have(Holding(owner: hostID(1), boot: bootOf(4), version: version))))
    #expect(!told(.have(Holding(owner: hostID(1), boot: bootOf(3), version: 900))))
    #expect(told(.have(Holding(owner: hostID(1), boot: bootOf(4), version: version + 1))))
    #expect(told(.have(Holding(owner: hostID(1), boot: bootOf(5), version: 1))))
    #expect(told(.want(owner: hostID(1), boot: bootOf(5), after: 0)))
    var double = TestOwner(1, boot: 4)
    let batches = double.begin() + [double.claim(mac(1), .live(1)), double.claim(mac(2), .live(1))]
    #expect(told(.batch(batches[3].bytes)))
    let forged = Batch(header: batches[3].header, statements: [], sign: TestKey.sign(hostID(2)))
    #expect(!told(.batch(forged.bytes)))
  }

  @Test func withdrawalsAreForgottenInTime() {
    var registry = Registry.started(1)
    var (owner, batches) = running()
    registry.hear(batches)
    _ = registry.flush()
    batches = [owner.claim(mac(1), Claim(state: .withdrawn, sequence: MobilitySequence(7)))]
    registry.hear(batches)
    let key = BindingKey(network: net(1), mac: mac(1))
    #expect(registry.index.highest(at: key).value == 7)
    _ = registry.advance(to: at(29 * 60_000))
    #expect(registry.index.highest(at: key).value == 7)
    _ = registry.advance(to: at(31 * 60_000))
    #expect(registry.index.claims(at: key).isEmpty)
    #expect(registry.ledgers[hostID(5)]?.current?.statements[.claim(net(1), mac(1))] == nil)
  }

  @Test func aRelayedBatchCountsOnlyWithItsOwnersSignature() {
    let (_, batches) = running()
    var registry = Registry.started(1)
    for batch in batches {
      let forged = Batch(header: batch.header, statements: batch.statements, sign: TestKey.sign(hostID(6)))
      let effects = registry.receive(.batch(forged.bytes), from: hostID(6), now: at(0), verify: TestKey.verify)
      #expect(effects.rejections == [.badSignature(hostID(5))])
    }
    #expect(registry.hostView(hostID(5)) == nil)
    for batch in batches {
      _ = registry.receive(.batch(batch.bytes), from: hostID(6), now: at(0), verify: TestKey.verify)
    }
    #expect(registry.owner(of: mac(1)) == hostID(5))
  }

  @Test func whatIsHeldAlreadyIsDroppedBeforeItsSignatureIsChecked() {
    let (_, batches) = running()
    var registry = Registry.started(1)
    var checks = 0
    for batch in batches + batches {
      _ = registry.receive(.batch(batch.bytes), from: hostID(6), now: at(0)) {
        author, certificate, message, signature in
        checks += 1
        return TestKey.verify(author, certificate, message, signature)
      }
    }
    #expect(checks == batches.count)
  }

  @Test func aHelloBringsNothingButASignedHostRecord() throws {
    let (_, batches) = running()
    var registry = Registry.started(1)
    let effects = try registry.hello(
      hostRecordBatch: batches[0].bytes, from: hostID(5), now: at(0), verify: TestKey.verify)
    #expect(effects.contains(.hostChanged(hostID(5))))
    #expect(registry.sealingKeys(of: hostID(5))?.staticKey == record(5).staticKey)
    #expect(throws: Rejection.self) {
      try registry.hello(hostRecordBatch: batches[0].bytes, from: hostID(6), now: at(0), verify: TestKey.verify)
    }
    #expect(throws: Rejection.self) {
      try registry.hello(hostRecordBatch: batches[1].bytes, from: hostID(5), now: at(0), verify: TestKey.verify)
    }
    #expect(throws: Rejection.self) {
      try registry.hello(hostRecordBatch: [1, 2, 3], from: hostID(5), now: at(0), verify: TestKey.verify)
    }
  }

  @Test func aHelloFromTheMiddleOfABootIsEnoughToSealPacketsAndAsksForTheRest() throws {
    var (owner, batches) = running()
    var moved = record(5)
    moved.vteps = [.v4(0xc633_6401)]
    batches += owner.say(.host, moved.bytes)
    var registry = Registry.started(1)
    _ = registry.hostState(hostID(5), .alive, boot: bootOf(1), now: at(0))
    let last = batches[batches.count - 1]
    _ = try registry.hello(hostRecordBatch: last.bytes, from: hostID(5), now: at(0), verify: TestKey.verify)
    #expect(registry.hostView(hostID(5))?.record?.vteps == moved.vteps)
    #expect(registry.flush().frames.map(\.frame).contains(.want(owner: hostID(5), boot: bootOf(1), after: 0)))
    registry.hear(Array(batches.dropLast()))
    #expect(registry.hostView(hostID(5))?.version == 5)
    #expect(registry.hostView(hostID(5))?.record?.vteps == moved.vteps)
  }
}
