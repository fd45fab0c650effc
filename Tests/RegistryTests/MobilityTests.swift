import Testing
import Wire

@testable import Registry

/// Hosts that hear each other at once, or when the test lets them.
struct Trio {
  var registries: [HostID: Registry] = [:]
  /// Hosts that hear nobody and are heard by nobody.
  var cut: Set<HostID> = []
  var now = at(0)
  var events: [HostID: [RegistryEvent]] = [:]
  /// What was sent and not yet delivered while `isHeld`.
  var held: [(from: HostID, frame: GossipFrame, to: HostID)] = []
  var isHeld = false

  init(_ count: UInt64 = 3, configuration: Registry.Configuration = .init()) {
    for number in 1...count {
      registries[hostID(number)] = .started(number, configuration: configuration)
    }
    for one in ids {
      for other in ids where one != other {
        _ = registries[one]?.hostState(other, .alive, boot: bootOf(1), now: now)
      }
    }
    settle()
  }

  var ids: [HostID] { registries.keys.sorted() }

  mutating func `do`(_ number: UInt64, _ body: (inout Registry, Instant) -> [Registry.Effect]) {
    let id = hostID(number)
    guard var registry = registries[id] else { return }
    events[id, default: []] += body(&registry, now).events
    registries[id] = registry
    if !isHeld { settle() }
  }

  mutating func attach(_ number: UInt64, _ vif: String, netback: Bool = true, mac: MACAddress? = nil, vm: String = "vm")
  {
    self.do(number) { $0.attach(vif: vif, network: net(1), isNetback: netback, mac: mac, vm: vm, now: $1) }
  }

  mutating func carrier(_ number: UInt64, _ vif: String, _ isUp: Bool, isChange: Bool = true) {
    self.do(number) { $0.carrier(vif: vif, isUp: isUp, isChange: isChange, now: $1) }
  }

  mutating func frame(_ number: UInt64, _ vif: String, _ mac: MACAddress, ips: [IPAddress] = []) {
    self.do(number) { $0.frame(vif: vif, mac: mac, ips: ips, now: $1) }
  }

  mutating func detach(_ number: UInt64, _ vif: String) {
    self.do(number) { $0.detach(vif: vif, now: $1) }
  }

  mutating func state(_ number: UInt64, of other: UInt64, _ state: MemberState) {
    self.do(number) { $0.hostState(hostID(other), state, boot: bootOf(1), now: $1) }
  }

  mutating func wait(_ seconds: Int) {
    now = now + .seconds(seconds)
    for id in ids {
      guard var registry = registries[id] else { continue }
      events[id, default: []] += registry.advance(to: now).events
      registries[id] = registry
    }
    if !isHeld { settle() }
  }

  /// Delivers frames until nobody has anything to say.
  mutating func settle() {
    for _ in 0..<100 {
      var frames = held.filter { !cut.contains($0.from) && !cut.contains($0.to) }
      held = []
      for id in ids {
        guard var registry = registries[id] else { continue }
        for (frame, target) in registry.flush(now: now).frames where !cut.contains(id) && !cut.contains(target) {
          frames.append((id, frame, target))
        }
        registries[id] = registry
      }
      if frames.isEmpty { return }
      for (from, frame, target) in frames {
        guard var registry = registries[target] else { continue }
        events[target, default: []] += registry.receive(frame, from: from, now: now, verify: TestKey.verify).events
        registries[target] = registry
      }
    }
  }

  /// Whom all agree upon; nil if they do not.
  func owner(_ mac: MACAddress) -> HostID? {
    let owners = Set(ids.filter { !cut.contains($0) }.map { registries[$0]?.owner(of: mac) })
    return owners.count == 1 ? owners.first ?? nil : nil
  }

  func sequence(_ mac: MACAddress) -> UInt64? { registries[hostID(1)]?.binding(net(1), mac)?.sequence.value }

  func claim(_ number: UInt64, _ mac: MACAddress) -> Claim? { registries[hostID(number)]?.claim(on: mac) }

  func port(_ number: UInt64, _ mac: MACAddress) -> String? { registries[hostID(number)]?.localPorts(of: net(1))[mac] }

  func view(_ number: UInt64, _ mac: MACAddress) -> BindingView? {
    registries[hostID(number)]?.bindings(of: net(1)).first { $0.mac == mac }
  }
}

@Suite struct MobilityTests {
  private let guest = mac(1)

  @Test func presenceAloneMovesNothing() {
    var pool = Trio()
    pool.attach(1, "vif1.0", mac: guest)
    #expect(pool.owner(guest) == nil)
    #expect(pool.claim(1, guest)?.state == .present)
    #expect(pool.view(2, guest)?.state == .present)
    pool.carrier(1, "vif1.0", true)
    #expect(pool.owner(guest) == hostID(1))
    #expect(pool.sequence(guest) == 1)
    pool.attach(2, "vif2.0", mac: guest)
    #expect(pool.owner(guest) == hostID(1))
    #expect(pool.claim(2, guest)?.state == .present)
  }

  @Test func aLiveMigrationMovesTheMACWhenTheGuestRunsThere() {
    var pool = Trio()
    pool.attach(1, "vif1.0", mac: guest)
    pool.carrier(1, "vif1.0", true)
    pool.attach(2, "vif7.0", mac: guest)
    pool.carrier(1, "vif1.0", false)
    #expect(pool.owner(guest) == nil)
    pool.carrier(2, "vif7.0", true)
    #expect(pool.owner(guest) == hostID(2))
    #expect(pool.sequence(guest) == 2)
    pool.detach(1, "vif1.0")
    #expect(pool.claim(1, guest)?.state == .withdrawn)
    #expect(pool.owner(guest) == hostID(2))
    #expect(pool.port(2, guest) == "vif7.0")
    #expect(pool.port(1, guest) == nil)
  }

  @Test func aFrameMovesTheMACToo() {
    var pool = Trio()
    pool.attach(1, "vif1.0", netback: false)
    pool.frame(1, "vif1.0", guest, ips: [.v4(0x0a00_0001)])
    #expect(pool.owner(guest) == hostID(1))
    #expect(pool.view(3, guest)?.ips == [.v4(0x0a00_0001)])
    pool.attach(2, "vif1.0", netback: false)
    pool.frame(2, "vif1.0", guest)
    #expect(pool.owner(guest) == hostID(2))
    #expect(pool.claim(1, guest)?.state == .present)
    #expect(pool.claim(1, guest)?.sequence.value == 1)
    #expect(pool.events[hostID(1)]?.contains(.gaveUp(net(1), guest, to: hostID(2))) == true)
  }

  @Test func framesFromGroupAddressesAndZeroAreNoGuests() {
    var pool = Trio()
    pool.attach(1, "vif1.0", netback: false)
    pool.frame(1, "vif1.0", .broadcast)
    pool.frame(1, "vif1.0", .zero)
    pool.frame(1, "vif1.0", MACAddress(0x0100_5e00_0001) ?? .zero)
    #expect(pool.registries[hostID(1)]?.bindings.isEmpty == true)
  }

  @Test func theClaimIsOneAboveTheHighestSeenWithdrawnAndHiddenOnesIncluded() {
    var pool = Trio()
    pool.attach(1, "a", netback: false)
    for _ in 0..<4 {
      pool.frame(1, "a", guest)
      pool.detach(1, "a")
      pool.attach(1, "a", netback: false)
    }
    #expect(pool.claim(1, guest)?.sequence.value == 4)
    pool.detach(1, "a")
    pool.attach(2, "b", netback: false)
    pool.frame(2, "b", guest)
    #expect(pool.claim(2, guest)?.sequence.value == 5)
    pool.cut = [hostID(2)]
    for number in [1, 3] as [UInt64] { pool.state(number, of: 2, .dead) }
    pool.attach(3, "c", netback: false)
    pool.frame(3, "c", guest)
    #expect(pool.claim(3, guest)?.sequence.value == 6)
  }

  @Test func aWithdrawalTouchesNothingButItself() {
    var pool = Trio()
    pool.attach(1, "a", netback: false)
    pool.attach(2, "b", netback: false)
    pool.frame(1, "a", guest)
    pool.frame(2, "b", guest)
    pool.detach(1, "a")
    #expect(pool.owner(guest) == hostID(2))
    #expect(pool.sequence(guest) == 2)
  }

  @Test func aFailedMigrationIsTakenBackWhenTheWinnerWithdraws() {
    var pool = Trio()
    pool.attach(1, "vif1.0", mac: guest)
    pool.carrier(1, "vif1.0", true)
    pool.attach(2, "vif7.0", mac: guest)
    // The destination claims although the guest does not stay: no event happens at the source.
    pool.carrier(2, "vif7.0", true)
    #expect(pool.owner(guest) == hostID(2))
    pool.detach(2, "vif7.0")
    #expect(pool.owner(guest) == hostID(1))
    #expect(pool.sequence(guest) == 3)
    #expect(pool.port(1, guest) == "vif1.0")
    #expect(pool.events[hostID(1)]?.contains(.tookBack(net(1), guest, MobilitySequence(3))) == true)
  }

  @Test func aClaimGivenUpIsTakenBackWhenTheWinnerDiesOrLeaves() throws {
    for isDeath in [true, false] {
      var pool = Trio()
      pool.attach(1, "a", netback: false)
      pool.attach(2, "b", netback: false)
      pool.frame(1, "a", guest)
      pool.frame(2, "b", guest)
      pool.cut = [hostID(2)]
      if isDeath {
        for number in [1, 3] as [UInt64] { pool.state(number, of: 2, .dead) }
      } else {
        var registry = try #require(pool.registries[hostID(3)])
        _ = try registry.revoke(hostID(2), payload: [], now: pool.now, sign: TestKey.sign(hostID(3)))
        pool.registries[hostID(3)] = registry
        pool.settle()
      }
      #expect(pool.owner(guest) == hostID(1))
    }
  }

  @Test func aClaimGivenUpIsNotTakenBackWhereTheVIFIsNotConnected() {
    var pool = Trio()
    pool.attach(1, "vif1.0", mac: guest)
    pool.carrier(1, "vif1.0", true)
    pool.attach(2, "vif7.0", mac: guest)
    pool.carrier(2, "vif7.0", true)
    pool.carrier(1, "vif1.0", false)
    pool.carrier(2, "vif7.0", false)
    pool.detach(2, "vif7.0")
    #expect(pool.owner(guest) == nil)
    #expect(pool.claim(1, guest)?.state == .present)
  }

  @Test func aGuestThatTransmitsAgainAtTheSourceTakesTheMACBack() {
    var pool = Trio()
    pool.attach(1, "vif1.0", mac: guest)
    pool.carrier(1, "vif1.0", true)
    pool.attach(2, "vif7.0", mac: guest)
    pool.carrier(2, "vif7.0", true)
    #expect(pool.owner(guest) == hostID(2))
    pool.frame(1, "vif1.0", guest)
    #expect(pool.owner(guest) == hostID(1))
    #expect(pool.sequence(guest) == 3)
    #expect(pool.view(3, guest)?.isDuplicate == false)
  }

  @Test func ofTwoClaimsMadeAtOnceOneIsAnsweredOnceAndAllAgree() {
    for loser in [1, 2] as [UInt64] {
      var pool = Trio()
      pool.attach(1, "a", netback: false)
      pool.attach(2, "b", netback: false)
      pool.isHeld = true
      pool.frame(loser, loser == 1 ? "a" : "b", guest)
      pool.frame(3 - loser, loser == 1 ? "b" : "a", guest)
      #expect(pool.claim(1, guest)?.sequence.value == 1)
      #expect(pool.claim(2, guest)?.sequence.value == 1)
      pool.isHeld = false
      pool.settle()
      // Host 2 loses the tie by its ID, became live without knowing of host 1's claim, and answers with one more.
      #expect(pool.owner(guest) == hostID(2))
      #expect(pool.sequence(guest) == 2)
      #expect(pool.claim(1, guest)?.state == .present)
    }
  }

  @Test func aLateOldClaimChangesNothing() throws {
    var pool = Trio()
    pool.attach(1, "a", netback: false)
    pool.attach(2, "b", netback: false)
    pool.isHeld = true
    pool.frame(1, "a", guest)
    var sender = try #require(pool.registries[hostID(1)])
    let frames = sender.flush(now: pool.now).frames
    pool.registries[hostID(1)] = sender
    let late = frames.filter { $0.to == hostID(3) }.map(\.frame)
    pool.held = frames.filter { $0.to == hostID(2) }.map { (hostID(1), $0.frame, $0.to) }
    pool.isHeld = false
    pool.settle()
    pool.frame(2, "b", guest)
    #expect(pool.registries[hostID(3)]?.owner(of: guest) == hostID(2))
    pool.do(3) { registry, now in
      late.flatMap { registry.receive($0, from: hostID(1), now: now, verify: TestKey.verify) }
    }
    #expect(pool.owner(guest) == hostID(2))
  }

  @Test func bothSidesOfACutMoveTheMACAndAllAgreeAfterItHeals() {
    var pool = Trio(4)
    for number in 1...4 as ClosedRange<UInt64> { pool.attach(number, "v", netback: false) }
    pool.frame(1, "v", guest)
    // {1, 2} and {3, 4}: as if cut, the far side is dead and hears nothing.
    let far: (UInt64) -> [UInt64] = { $0 <= 2 ? [3, 4] : [1, 2] }
    for number in 1...4 as ClosedRange<UInt64> { for other in far(number) { pool.state(number, of: other, .dead) } }
    pool.frame(2, "v", guest)
    pool.frame(3, "v", guest)
    pool.frame(4, "v", guest)
    #expect(pool.registries[hostID(1)]?.owner(of: guest) == hostID(2))
    #expect(pool.registries[hostID(4)]?.owner(of: guest) == hostID(4))
    for number in 1...4 as ClosedRange<UInt64> { for other in far(number) { pool.state(number, of: other, .alive) } }
    for _ in 0..<5 { pool.wait(1) }
    let owner = pool.owner(guest)
    #expect(owner != nil)
    let live = (1...4).filter { pool.claim($0, guest)?.state == .live }
    #expect(live.count == 1)
    // Wherever the guest really is, its next frame settles it.
    pool.frame(2, "v", guest)
    #expect(pool.owner(guest) == hostID(2))
  }

  @Test func aMACOnTwoHostsIsShownAsDuplicateWithBothVIFs() {
    var pool = Trio()
    pool.attach(1, "vif1.0", netback: false, vm: "web")
    pool.attach(2, "vif4.0", netback: false, vm: "copy")
    for _ in 0..<3 {
      pool.frame(1, "vif1.0", guest)
      pool.frame(2, "vif4.0", guest)
    }
    for number in 1...3 as ClosedRange<UInt64> {
      let view = pool.view(number, guest)
      #expect(view?.isDuplicate == true)
      #expect(view?.host == hostID(2))
      #expect(view?.vm == "copy")
      #expect(view?.rivals.map(\.vif) == ["vif1.0"])
      #expect(view?.rivals.map(\.vm) == ["web"])
    }
    #expect(pool.events[hostID(1)]?.contains(.duplicate(net(1), guest, vif: "vif1.0", other: hostID(2))) == true)
    // One goes: no duplicate any more.
    pool.detach(1, "vif1.0")
    #expect(pool.view(3, guest)?.isDuplicate == false)
  }

  @Test func aMACThatMovesTooOftenIsDampedByItsClaimants() {
    var pool = Trio()
    pool.attach(1, "a", netback: false)
    pool.attach(2, "b", netback: false)
    for _ in 0..<30 {
      pool.frame(1, "a", guest)
      pool.frame(2, "b", guest)
      pool.now = pool.now + .seconds(1)
    }
    let sequence = pool.sequence(guest) ?? 0
    #expect((20...23).contains(sequence))
    let states = [1, 2].map { pool.claim($0, guest)?.state }
    #expect(states.contains(.damped))
    #expect(pool.view(3, guest)?.isDamped == true)
    #expect(pool.owner(guest) != nil)
    // One of them withdraws: the other claims at once.
    let owner = pool.owner(guest) == hostID(1) ? 1 : 2 as UInt64
    pool.detach(owner, owner == 1 ? "a" : "b")
    #expect(pool.owner(guest) == hostID(3 - owner))
    #expect(pool.view(3, guest)?.isDamped == false)
  }

  @Test func dampingEndsAfterHalfAnHour() {
    var pool = Trio()
    pool.attach(1, "a", netback: false)
    pool.attach(2, "b", netback: false)
    for _ in 0..<30 {
      pool.frame(1, "a", guest)
      pool.frame(2, "b", guest)
      pool.now = pool.now + .seconds(1)
    }
    let damped = [1, 2].first { pool.claim($0, guest)?.state == .damped } ?? 1
    #expect(pool.claim(damped, guest)?.state == .damped)
    for _ in 0..<400 { pool.wait(5) }
    #expect(pool.claim(damped, guest)?.state == .present)
    pool.frame(damped, damped == 1 ? "a" : "b", guest)
    #expect(pool.owner(guest) == hostID(damped))
  }

  @Test func movesWithWithdrawalsBetweenThemAreNotDamped() {
    var pool = Trio()
    for round in 0..<40 {
      let (number, other): (UInt64, UInt64) = round % 2 == 0 ? (1, 2) : (2, 1)
      pool.attach(number, "v", netback: false)
      pool.frame(number, "v", guest)
      pool.detach(other, "v")
      #expect(pool.owner(guest) == hostID(number))
    }
    #expect(pool.sequence(guest) == 40)
  }

  @Test func aClaimBackedByXenIsNotBeatenByOneThatOnlyFramesBack() {
    var pool = Trio()
    pool.attach(1, "vif1.0", mac: guest)
    pool.carrier(1, "vif1.0", true)
    pool.attach(2, "tap9", netback: false)
    for _ in 0..<40 {
      pool.frame(2, "tap9", guest)
      pool.now = pool.now + .milliseconds(200)
    }
    #expect(pool.owner(guest) == hostID(1))
    #expect(pool.claim(1, guest)?.state == .live)
    #expect(pool.sequence(guest) == 1)
    #expect(pool.view(3, guest)?.isDuplicate == true)
    #expect(pool.view(3, guest)?.rivals.map(\.vif) == ["tap9"])
    // Neither of them is damped, and the guest still migrates.
    pool.attach(3, "vif3.0", mac: guest)
    pool.carrier(3, "vif3.0", true)
    #expect(pool.owner(guest) == hostID(3))
  }

  @Test func aFrameLearnedOwnerGivesWayToOneBackedByXen() {
    var pool = Trio()
    pool.attach(2, "tap9", netback: false)
    for _ in 0..<3 {
      pool.frame(2, "tap9", guest)
      pool.detach(2, "tap9")
      pool.attach(2, "tap9", netback: false)
    }
    pool.frame(2, "tap9", guest)
    pool.attach(1, "vif1.0", mac: guest)
    pool.carrier(1, "vif1.0", true)
    #expect(pool.owner(guest) == hostID(1))
    #expect(pool.claim(2, guest)?.state == .present)
  }

  @Test func aMoveBetweenTwoVIFsOfOneHostNeedsNoSequence() {
    var pool = Trio()
    pool.attach(1, "vif5.0", mac: guest, vm: "web")
    pool.carrier(1, "vif5.0", true)
    pool.attach(1, "vif6.0", mac: guest, vm: "web")
    pool.carrier(1, "vif5.0", false)
    #expect(pool.owner(guest) == hostID(1))
    #expect(pool.port(1, guest) == nil)
    pool.carrier(1, "vif6.0", true)
    pool.detach(1, "vif5.0")
    #expect(pool.owner(guest) == hostID(1))
    #expect(pool.sequence(guest) == 1)
    #expect(pool.port(1, guest) == "vif6.0")
    #expect(pool.view(2, guest)?.vif == "vif6.0")
    #expect(pool.view(2, guest)?.isDuplicate == false)
    pool.detach(1, "vif6.0")
    #expect(pool.owner(guest) == nil)
  }

  @Test func anEmulatedTwinHandsOverToTheNetbackPort() {
    var pool = Trio()
    pool.attach(1, "vif1.0", mac: guest)
    pool.attach(1, "vif1.0-emu", netback: false, mac: guest)
    pool.carrier(1, "vif1.0-emu", true)
    #expect(pool.owner(guest) == nil)
    pool.frame(1, "vif1.0-emu", guest)
    #expect(pool.port(1, guest) == "vif1.0-emu")
    pool.carrier(1, "vif1.0", true)
    #expect(pool.port(1, guest) == "vif1.0")
    pool.detach(1, "vif1.0-emu")
    #expect(pool.owner(guest) == hostID(1))
    #expect(pool.sequence(guest) == 1)
  }

  @Test func twoVIFsOfOneHostThatTransmitWithOneMACAreShownWithBothNames() {
    var pool = Trio()
    pool.attach(1, "vif1.0", netback: false, vm: "web")
    pool.attach(1, "vif2.0", netback: false, vm: "copy")
    for _ in 0..<4 {
      pool.frame(1, "vif1.0", guest)
      pool.frame(1, "vif2.0", guest)
    }
    let view = pool.view(3, guest)
    #expect(view?.isDuplicate == true)
    #expect(Set([view?.vif, view?.rivals.first?.vif]) == ["vif1.0", "vif2.0"])
    #expect(pool.sequence(guest) == 1)
  }

  @Test func framesReadAfterTheCarrierFellSayNothing() {
    var pool = Trio()
    pool.attach(1, "vif1.0")
    pool.carrier(1, "vif1.0", true)
    pool.frame(1, "vif1.0", guest)
    pool.attach(2, "vif7.0")
    pool.carrier(1, "vif1.0", false)
    pool.frame(1, "vif1.0", guest)
    #expect(pool.claim(1, guest)?.state == .present)
    pool.carrier(2, "vif7.0", true)
    pool.frame(2, "vif7.0", guest)
    #expect(pool.owner(guest) == hostID(2))
    #expect(pool.sequence(guest) == 2)
  }
}
