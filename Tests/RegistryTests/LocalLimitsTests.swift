import Testing
import Wire

@testable import Registry

/// What one VIF may make of itself by frames alone, silence, and the start of an agent.
@Suite struct LocalLimitsTests {
  private func attached(_ configuration: Registry.Configuration = .init()) -> Registry {
    var registry = Registry.started(1, configuration: configuration)
    _ = registry.attach(vif: "v", network: net(1), isNetback: false, mac: nil, vm: "vm", now: at(0))
    return registry
  }

  @Test func aVIFHasAtMostSixteenMACsFromFrames() {
    var registry = attached()
    var events: [RegistryEvent] = []
    for number in 1...40 as ClosedRange<UInt64> {
      events += registry.frame(vif: "v", mac: mac(number), ips: [], now: at(Int(number) * 1000)).events
    }
    #expect(registry.owners(of: net(1)).count == 16)
    #expect(registry.excess.map(\.count) == [24])
    let told = events.filter { if case .limited(_, _, _, .macsPerVIF) = $0 { true } else { false } }
    #expect((1...4).contains(told.count))
  }

  @Test func theMACThatTheHypervisorGaveIsTakenWhateverElseIsThere() {
    var registry = attached()
    for number in 1...16 as ClosedRange<UInt64> {
      _ = registry.frame(vif: "v", mac: mac(number), ips: [], now: at(Int(number) * 1000))
    }
    _ = registry.attach(vif: "v", network: net(1), isNetback: false, mac: mac(99), vm: "vm", now: at(20_000))
    _ = registry.frame(vif: "v", mac: mac(99), ips: [], now: at(21_000))
    #expect(registry.owner(of: mac(99)) == hostID(1))
    #expect(registry.claim(on: mac(99))?.isBackedByXen == true)
    #expect(registry.claim(on: mac(1))?.isBackedByXen == false)
  }

  @Test func aVIFMakesAtMostTenClaimsASecond() {
    var registry = attached()
    for number in 1...16 as ClosedRange<UInt64> {
      _ = registry.frame(vif: "v", mac: mac(number), ips: [], now: at(Int(number)))
    }
    #expect(registry.owners(of: net(1)).count == 10)
    for number in 1...16 as ClosedRange<UInt64> {
      _ = registry.frame(vif: "v", mac: mac(number), ips: [], now: at(1100 + Int(number)))
    }
    #expect(registry.owners(of: net(1)).count == 16)
  }

  @Test func aMACHasAtMostEightIPsAndOneLongUnseenMakesRoom() {
    var registry = attached()
    for number in 1...20 as ClosedRange<UInt32> {
      _ = registry.frame(vif: "v", mac: mac(1), ips: [.v4(number)], now: at(Int(number)))
    }
    #expect(registry.claim(on: mac(1))?.ips == (1...8).map { IPAddress.v4($0) })
    for number in 2...8 as ClosedRange<UInt32> {
      _ = registry.frame(vif: "v", mac: mac(1), ips: [.v4(number)], now: at(200_000))
    }
    _ = registry.frame(vif: "v", mac: mac(1), ips: [.v4(77)], now: at(301_000))
    #expect(registry.claim(on: mac(1))?.ips == (2...8).map { IPAddress.v4($0) } + [.v4(77)])
  }

  @Test func aSilentMACGoesAfterFiveMinutesIfItsVIFHasAnother() {
    var registry = attached()
    _ = registry.flush()
    _ = registry.frame(vif: "v", mac: mac(1), ips: [], now: at(0))
    _ = registry.advance(to: at(400_000))
    // The only one stays, however silent.
    #expect(registry.owner(of: mac(1)) == hostID(1))
    _ = registry.frame(vif: "v", mac: mac(2), ips: [], now: at(400_000))
    _ = registry.advance(to: at(410_000))
    #expect(registry.claim(on: mac(1))?.state == .withdrawn)
    #expect(registry.owner(of: mac(2)) == hostID(1))
    _ = registry.advance(to: at(800_000))
    #expect(registry.owner(of: mac(2)) == hostID(1))
  }

  @Test func aWithdrawalIsForgottenHereAfterHalfAnHour() {
    var registry = attached()
    _ = registry.frame(vif: "v", mac: mac(1), ips: [], now: at(0))
    _ = registry.detach(vif: "v", now: at(0))
    _ = registry.flush()
    #expect(registry.claim(on: mac(1))?.state == .withdrawn)
    _ = registry.advance(to: at(31 * 60_000))
    #expect(registry.claim(on: mac(1)) == nil)
    #expect(registry.own.current[.claim(net(1), mac(1))] == nil)
  }

  @Test func theFloodFlagFollowsTheVIFs() throws {
    var registry = Registry.started(1)
    _ = registry.setNetworkStatus(net(1), .stands, now: at(0))
    func says() throws -> NetworkStatus? {
      try NetworkStatus.read(try #require(registry.own.value(of: .network(net(1)))))
    }
    #expect(try says()?.takesFlood == false)
    _ = registry.attach(vif: "a", network: net(1), isNetback: true, mac: nil, vm: nil, now: at(0))
    _ = registry.attach(vif: "b", network: net(1), isNetback: true, mac: nil, vm: nil, now: at(0))
    #expect(registry.hasVIF(net(1)))
    #expect(try says()?.takesFlood == true)
    _ = registry.detach(vif: "a", now: at(0))
    #expect(try says()?.takesFlood == true)
    _ = registry.detach(vif: "b", now: at(0))
    #expect(try says()?.takesFlood == false)
    _ = registry.removeNetworkStatus(net(1), now: at(0))
    #expect(try says() == nil)
  }

  // MARK: Start

  /// A registry before its first sync, with its VIF in place.
  private func restarted(seed: [UInt8], isNetback: Bool = true, mac: MACAddress? = mac(1)) -> Registry {
    var registry = Registry(host: hostID(1), boot: bootOf(2), seed: 1)
    _ = registry.seed(ownStatements: seed)
    _ = registry.attach(vif: "vif1.0", network: net(1), isNetback: isNetback, mac: mac, vm: "vm", now: at(0))
    _ = registry.carrier(vif: "vif1.0", isUp: true, isChange: false, now: at(0))
    return registry
  }

  private func lastStatements(_ sequence: UInt64, vif: String = "vif1.0") -> [UInt8] {
    var owner = TestOwner(1)
    _ = owner.begin()
    _ = owner.claim(mac(1), .live(sequence, vif: vif))
    return owner.statements.unsignedSnapshot
  }

  @Test func aLevelFoundAtTheStartIsNoEvent() {
    var registry = restarted(seed: [])
    _ = registry.synced(now: at(0))
    #expect(registry.claim(on: mac(1))?.state == .present)
    #expect(registry.owner(of: mac(1)) == nil)
    // The guest speaks: now it is live.
    _ = registry.frame(vif: "vif1.0", mac: mac(1), ips: [], now: at(10))
    #expect(registry.owner(of: mac(1)) == hostID(1))
  }

  @Test func nothingIsClaimedBeforeTheFirstSyncAndWhatWasSeenIsClaimedAfter() {
    var registry = restarted(seed: [])
    _ = registry.frame(vif: "vif1.0", mac: mac(1), ips: [], now: at(10))
    #expect(registry.owner(of: mac(1)) == nil)
    #expect(registry.claim(on: mac(1)) == nil)
    let effects = registry.synced(now: at(20))
    #expect(registry.owner(of: mac(1)) == hostID(1))
    #expect(effects.contains(.localMAC(net(1), mac(1), vif: "vif1.0")))
  }

  @Test func aSilentGuestKeepsItsSequenceOverARestart() {
    for isNetback in [true, false] {
      var registry = restarted(seed: lastStatements(7), isNetback: isNetback, mac: isNetback ? mac(1) : nil)
      let effects = registry.synced(now: at(0))
      #expect(registry.binding(net(1), mac(1)) == Binding(host: hostID(1), sequence: MobilitySequence(7)))
      #expect(effects.contains(.localMAC(net(1), mac(1), vif: "vif1.0")))
    }
  }

  @Test func aFrameSeenSinceTheStartDoesNotRaiseASequenceThatStillWins() {
    var registry = restarted(seed: lastStatements(7))
    _ = registry.frame(vif: "vif1.0", mac: mac(1), ips: [], now: at(10))
    _ = registry.synced(now: at(20))
    #expect(registry.binding(net(1), mac(1))?.sequence.value == 7)
  }

  @Test func aGuestThatMovedAwayWhileTheAgentWasDownIsNotClaimedAgain() {
    var other = TestOwner(5)
    var registry = restarted(seed: lastStatements(7))
    registry.hear(other.begin())
    registry.hear([other.claim(mac(1), .live(8, xen: true))])
    _ = registry.synced(now: at(0))
    #expect(registry.owner(of: mac(1)) == hostID(5))
    #expect(registry.claim(on: mac(1))?.state == .present)
    // It withdraws: the VIF here is still connected.
    registry.hear([other.claim(mac(1), Claim(state: .withdrawn, sequence: MobilitySequence(8)))])
    #expect(registry.binding(net(1), mac(1)) == Binding(host: hostID(1), sequence: MobilitySequence(9)))
  }

  @Test func aGuestThatCameBackWhileTheAgentWasDownIsClaimedByItsFrames() {
    var other = TestOwner(5)
    var registry = restarted(seed: lastStatements(7))
    registry.hear(other.begin())
    registry.hear([other.claim(mac(1), .live(8, xen: true))])
    _ = registry.frame(vif: "vif1.0", mac: mac(1), ips: [], now: at(10))
    _ = registry.synced(now: at(20))
    #expect(registry.binding(net(1), mac(1)) == Binding(host: hostID(1), sequence: MobilitySequence(9)))
  }

  @Test func aGuestThatIsGoneIsWithdrawnWithItsSequence() {
    var registry = Registry(host: hostID(1), boot: bootOf(2), seed: 1)
    _ = registry.seed(ownStatements: lastStatements(7))
    _ = registry.synced(now: at(0))
    #expect(registry.claim(on: mac(1))?.state == .withdrawn)
    #expect(registry.claim(on: mac(1))?.sequence.value == 7)
  }

  @Test func peersCopiesOfOurStatementsCountIfTheyAreLater() throws {
    var owner = TestOwner(1)
    _ = owner.begin()
    _ = owner.claim(mac(1), .live(7, vif: "vif1.0"))
    let disk = owner.statements.unsignedSnapshot
    let later = owner.claim(mac(1), .live(9, vif: "vif1.0"))
    var registry = restarted(seed: disk)
    _ = registry.receive(.batch(later.bytes), from: hostID(5), now: at(0), verify: TestKey.verify)
    let forged = Batch(header: later.header, statements: [], sign: TestKey.sign(hostID(6)))
    let effects = registry.receive(.batch(forged.bytes), from: hostID(6), now: at(0), verify: TestKey.verify)
    #expect(effects.rejections == [.badSignature(hostID(1))])
    _ = registry.synced(now: at(0))
    #expect(registry.binding(net(1), mac(1))?.sequence.value == 9)
  }

  @Test func whatIsWrittenToDiskSeedsTheNextBoot() {
    var registry = Registry.started(1)
    _ = registry.attach(vif: "vif1.0", network: net(1), isNetback: true, mac: mac(1), vm: "web", now: at(0))
    _ = registry.carrier(vif: "vif1.0", isUp: true, isChange: true, now: at(0))
    var again = restarted(seed: registry.ownStatements)
    _ = again.synced(now: at(0))
    #expect(again.owner(of: mac(1)) == hostID(1))
    #expect(again.binding(net(1), mac(1))?.sequence.value == 1)
  }
}
