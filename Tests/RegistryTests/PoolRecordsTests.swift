import Testing
import Wire

@testable import Registry

@Suite struct PoolRecordsTests {
  private func spec(_ number: UInt64, _ name: String, vni: UInt32? = nil, bridge: String? = nil) throws -> NetworkSpec {
    NetworkSpec(
      id: net(number), name: try NetworkName(name), vni: vni.flatMap { VNI($0) },
      bridge: try bridge.map { try BridgeName($0) }, encryption: .off, mtu: try NetworkMTU(1400))
  }

  private func create(_ registry: inout Registry, _ spec: NetworkSpec) throws {
    _ = try registry.createNetwork(spec, now: at(0), sign: TestKey.sign(registry.host))
  }

  /// All records of `source` to `target`, as a sync would bring them.
  private func copy(_ source: Registry, to target: inout Registry) -> [Registry.Effect] {
    target.take(records: source.poolRecords, from: source.host, now: at(0), verify: TestKey.verify)
    return target.takeEffects()
  }

  @Test func aNetworkIsWhatItsSpecSays() throws {
    var registry = Registry.started(1)
    try create(&registry, try spec(1, "blue"))
    let view = try #require(registry.network(net(1)))
    #expect(view.name.text == "blue")
    #expect(view.vni == VNI.derived(from: net(1)))
    #expect(view.bridge.text == "weft-blue")
    #expect(view.state == .ok)
    #expect(try registry.findNetwork("blue") == view)
    #expect(try registry.findNetwork(net(1).description) == view)
    #expect(throws: RegistryError.noSuchNetwork("red")) { try registry.findNetwork("red") }
  }

  @Test func aNameAVNIOrABridgeThatIsTakenIsRefused() throws {
    var registry = Registry.started(1)
    try create(&registry, try spec(1, "blue", vni: 7, bridge: "br7"))
    #expect(throws: RegistryError.nameTaken("blue")) { try create(&registry, try spec(2, "blue")) }
    #expect(throws: RegistryError.self) { try create(&registry, try spec(2, "red", vni: 7)) }
    #expect(throws: RegistryError.self) { try create(&registry, try spec(2, "red", bridge: "br7")) }
    try create(&registry, try spec(2, "red"))
    #expect(throws: RegistryError.nameTaken("blue")) {
      try registry.setNetwork(net(2), .name(try NetworkName("blue")), now: at(0), sign: TestKey.sign(registry.host))
    }
    #expect(registry.networks.map(\.name.text) == ["blue", "red"])
  }

  @Test func fieldsChangeAndDeletionIsForGood() throws {
    var registry = Registry.started(1)
    let sign = TestKey.sign(registry.host)
    try create(&registry, try spec(1, "blue"))
    _ = try registry.setNetwork(net(1), .name(try NetworkName("green")), now: at(0), sign: sign)
    _ = try registry.setNetwork(net(1), .mtu(try NetworkMTU(1300)), now: at(0), sign: sign)
    _ = try registry.setNetwork(net(1), .option("igmp", "on"), now: at(0), sign: sign)
    let view = try #require(registry.network(net(1)))
    #expect(view.name.text == "green")
    #expect(view.mtu.value == 1300)
    #expect(view.options == [NetworkOption(name: "igmp", value: "on")])
    #expect(throws: RegistryError.self) {
      try registry.setNetwork(net(1), .option("a b", "x"), now: at(0), sign: sign)
    }
    let effects = try registry.deleteNetwork(net(1), now: at(0), sign: sign)
    #expect(effects.contains(.networkChanged(net(1))))
    #expect(effects.contains(.poolRecordsChanged))
    #expect(registry.networks.isEmpty)
    #expect(throws: RegistryError.self) { try registry.deleteNetwork(net(1), now: at(0), sign: sign) }
    #expect(throws: RegistryError.self) {
      try registry.setNetwork(net(1), .mtu(try NetworkMTU(1200)), now: at(0), sign: sign)
    }
  }

  @Test(arguments: [true, false])
  func ofTwoNetworksWithOneVNIOrBridgeTheLaterOneConflictsOnEveryHost(_ isVNI: Bool) throws {
    var one = Registry.started(1)
    var two = Registry.started(2)
    try create(&two, try spec(9, "other"))
    try create(&one, try spec(1, "blue", vni: 7, bridge: "br-blue"))
    // The second writer's counter is higher: it wrote something before.
    try create(&two, try spec(2, "red", vni: isVNI ? 7 : 8, bridge: isVNI ? "br-red" : "br-blue"))
    let effects = copy(two, to: &one)
    _ = copy(one, to: &two)
    #expect(effects.contains(.networkChanged(net(2))))
    for registry in [one, two] {
      #expect(registry.network(net(1))?.state == .ok)
      #expect(registry.network(net(2))?.state == .conflict(with: net(1)))
    }
    #expect(one.poolHash == two.poolHash)
    // The earlier one goes: the later one is told to be well.
    let gone = try one.deleteNetwork(net(1), now: at(0), sign: TestKey.sign(one.host))
    #expect(gone.contains(.networkChanged(net(2))))
    #expect(one.network(net(2))?.state == .ok)
  }

  @Test func twoNetworksWithOneNameBothWorkAndAreToldApartByUUID() throws {
    var one = Registry.started(1)
    var two = Registry.started(2)
    try create(&one, try spec(1, "blue", bridge: "a"))
    try create(&two, try spec(2, "blue", bridge: "b"))
    _ = copy(two, to: &one)
    #expect(one.networks.map(\.state) == [.ok, .ok])
    #expect(throws: RegistryError.ambiguousNetwork("blue", [net(1), net(2)].sorted())) { try one.findNetwork("blue") }
    #expect(try one.findNetwork(net(2).description).id == net(2))
  }

  @Test func anEvictedHostLosesEverythingAndIsNotHeardAgain() throws {
    var owner = TestOwner(5)
    var registry = Registry.started(1)
    registry.hear(owner.begin())
    registry.hear(owner.say(.network(net(1)), NetworkStatus(standing: .stands, hasVIF: true).bytes))
    registry.hear([owner.claim(mac(1), .live(1))])
    _ = registry.hostState(hostID(5), .alive, boot: bootOf(1), now: at(0))
    #expect(registry.owner(of: mac(1)) == hostID(5))
    #expect(registry.floodList(net(1)) == [hostID(5)])
    let effects = try registry.revoke(hostID(5), payload: [1, 2], now: at(0), sign: TestKey.sign(registry.host))
    #expect(registry.owner(of: mac(1)) == nil)
    #expect(registry.floodList(net(1)).isEmpty)
    #expect(effects.contains(.floodChanged(net(1))))
    #expect(effects.contains(.hostChanged(hostID(5))))
    #expect(registry.hostView(hostID(5))?.standing == .evicted)
    #expect(registry.revocations == [Revocation(host: hostID(5), author: hostID(1), payload: [1, 2])])
    #expect(registry.hear([owner.claim(mac(1), .live(2))]).rejections == [.notAMember(hostID(5))])
    #expect(registry.owner(of: mac(1)) == nil)
    #expect(throws: RegistryError.hostIsGone(hostID(5))) {
      try registry.admit(hostID(5), certificate: [1], now: at(0), sign: TestKey.sign(registry.host))
    }
    // A later boot of it is refused as well.
    var again = TestOwner(5, boot: 9)
    #expect(registry.hear(again.begin()).rejections.allSatisfy { $0 == .notAMember(hostID(5)) })
    #expect(registry.sealingKeys(of: hostID(5)) == nil)
  }

  @Test func whatAnEvictedHostWroteBeforeStaysInForce() throws {
    var author = Registry.started(5)
    try create(&author, try spec(1, "blue"))
    var registry = Registry.started(1)
    _ = copy(author, to: &registry)
    _ = try registry.revoke(hostID(5), payload: [], now: at(0), sign: TestKey.sign(registry.host))
    var newcomer = Registry.started(9)
    _ = copy(registry, to: &newcomer)
    #expect(newcomer.network(net(1))?.name.text == "blue")
    #expect(newcomer.poolHash == registry.poolHash)
  }

  @Test func recordsComeBackFromDiskInAnyOrder() throws {
    var registry = Registry.started(1)
    let sign = TestKey.sign(registry.host)
    _ = try registry.admit(hostID(1), certificate: [1], now: at(0), sign: sign)
    _ = try registry.admit(hostID(2), certificate: [2], now: at(0), sign: sign)
    try create(&registry, try spec(1, "blue"))
    var again = Registry(host: hostID(1), boot: bootOf(2), seed: 1)
    let floor = Floor(host: hostID(7), boot: bootOf(3), version: 9)
    let effects = again.load(poolRecords: registry.poolRecords.reversed(), floors: [floor], verify: TestKey.verify)
    #expect(effects.rejections.isEmpty)
    #expect(again.poolHash == registry.poolHash)
    #expect(again.certificate(of: hostID(2)) == [2])
    #expect(again.floors == [floor])
  }

  @Test func anAuthorsCertificateIsHandedToTheCheckOfItsRecords() throws {
    var registry = Registry.started(1)
    let sign = TestKey.sign(registry.host)
    _ = try registry.admit(hostID(1), certificate: [42], now: at(0), sign: sign)
    try create(&registry, try spec(1, "blue"))
    var seen: [[UInt8]?] = []
    var other = Registry.started(2)
    other.take(records: registry.poolRecords, from: hostID(1), now: at(0)) { author, certificate, message, signature in
      seen.append(certificate)
      return TestKey.verify(author, certificate, message, signature)
    }
    #expect(seen == [[42], [42]])
  }

  @Test func aRecordThatItsAuthorDidNotSignIsRefused() throws {
    let body = RecordBody.certificate([1])
    let forged = PoolRecord(
      key: .admission(hostID(9)), stamp: RecordStamp(counter: 1, author: hostID(2)), body: body,
      sign: TestKey.sign(hostID(3)))
    var registry = Registry.started(1)
    let effects = registry.receive(.record(forged.bytes), from: hostID(3), now: at(0), verify: TestKey.verify)
    #expect(effects.rejections == [.badSignature(hostID(2))])
    #expect(registry.poolRecords.isEmpty)
    #expect(registry.flush().frames.isEmpty)
  }

  @Test func aCounterFarAboveTheKnownOnesIsRefused() {
    let record = PoolRecord(
      key: .left(hostID(9)), stamp: RecordStamp(counter: 1 << 40, author: hostID(2)), body: [],
      sign: TestKey.sign(hostID(2)))
    var registry = Registry.started(1)
    let effects = registry.receive(.record(record.bytes), from: hostID(2), now: at(0), verify: TestKey.verify)
    #expect(effects.rejections == [.leap("record counter")])
    #expect(registry.poolRecords.isEmpty)
  }

  @Test func aRecordOfAnUnknownKindIsKeptAndPassedOn() {
    let record = PoolRecord(
      key: .unknown(kind: 200, [1, 2]), stamp: RecordStamp(counter: 1, author: hostID(2)), body: [9, 9],
      sign: TestKey.sign(hostID(2)))
    var registry = Registry.started(1)
    _ = registry.receive(.record(record.bytes), from: hostID(2), now: at(0), verify: TestKey.verify)
    #expect(registry.poolRecords == [record.bytes])
  }

  @Test func aNetworkIsDegradedWhileItFailsOnAVisibleHost() throws {
    var owner = TestOwner(5)
    var registry = Registry.started(1)
    try create(&registry, try spec(1, "blue"))
    registry.hear(owner.begin())
    let failing = NetworkStatus(standing: .fails("no bridge module"), hasVIF: false)
    let effects = registry.hear(owner.say(.network(net(1)), failing.bytes))
    #expect(effects.contains(.networkChanged(net(1))))
    #expect(registry.network(net(1))?.state == .degraded)
    #expect(registry.network(net(1))?.problems == [HostProblem(host: hostID(5), reason: "no bridge module")])
    _ = registry.hostState(hostID(5), .dead, boot: bootOf(1), now: at(0))
    #expect(registry.network(net(1))?.state == .ok)
    _ = registry.hostState(hostID(5), .alive, boot: bootOf(1), now: at(0))
    registry.hear(owner.say(.network(net(1)), NetworkStatus(standing: .stands, hasVIF: false).bytes))
    #expect(registry.network(net(1))?.state == .ok)
    #expect(registry.network(net(1))?.standing == [hostID(5)])
  }
}
