import Testing
import Wire

@testable import Registry

@Suite struct BatchTests {
  @Test func aBatchReadsBackAsItWasSigned() throws {
    var owner = TestOwner(1)
    let batches = owner.begin()
    for batch in batches {
      let read = try Batch(bytes: batch.bytes)
      #expect(read == batch)
      #expect(TestKey.verify(owner.id, nil, read.message, read.signature))
    }
  }

  @Test func theHostRecordIsAloneInItsBatch() throws {
    var owner = TestOwner(1)
    owner.statements.set(.network(net(1)), NetworkStatus(standing: .stands, hasVIF: true).bytes)
    owner.statements.set(.host, record(1).bytes)
    owner.statements.set(.complete, [])
    let batches = owner.statements.sign(TestKey.sign(owner.id))
    #expect(batches.map(\.statements.count) == [1, 1, 1])
    let signed = try SignedHostRecord(bytes: batches[1].bytes)
    #expect(signed.record == record(1))
    #expect(throws: WireError.self) { try SignedHostRecord(bytes: batches[0].bytes) }
  }

  @Test func aBurstOfClaimsIsCutIntoDatagramsWithoutGaps() {
    var owner = TestOwner(1)
    for number in 0..<200 {
      owner.statements.set(.claim(net(1), mac(UInt64(number))), Claim.live(1, vif: "vif\(number).0").bytes)
    }
    let batches = owner.statements.sign(TestKey.sign(owner.id))
    #expect(batches.count > 5)
    #expect(batches.allSatisfy { $0.bytes.count <= Batch.datagramSize })
    var version: Version = 0
    for batch in batches {
      #expect(batch.header.from == version)
      version = batch.header.to
    }
    #expect(version == 200)
    #expect(batches.flatMap(\.statements).count == 200)
  }

  @Test func theLargestClaimFitsADatagram() {
    var owner = TestOwner(1)
    let name = String(repeating: "x", count: 400)
    let claim = Claim(
      state: .live, sequence: MobilitySequence(.max),
      ips: (0..<40).map { .v6(high: 0x2001_0db8_0000_0000, low: $0) }, vif: name, vm: name, isBackedByXen: true,
      isContested: true, others: (0..<8).map { _ in Claim.OtherVIF(vif: name, vm: name) })
    let batch = owner.claim(mac(1), claim)
    #expect(batch.bytes.count <= Batch.datagramSize)
  }

  @Test func unknownFieldsAndKindsPassThroughUntouched() throws {
    var owner = TestOwner(1)
    let value = Claim.live(4).bytes + [200, 0, 2, 1, 2]
    let key = StatementKey.unknown(kind: 99, [1, 2, 3])
    var receiver = Registry.started(2)
    receiver.hear(owner.begin())
    let batches = owner.say(.claim(net(1), mac(1)), value) + owner.say(key, [9])
    let effects = receiver.hear(batches)
    #expect(effects.rejections.isEmpty)
    #expect(receiver.owner(of: mac(1)) == hostID(1))
    let held = receiver.ledgers[hostID(1)]?.current
    #expect(held?.statements[key]?.value == [9])
    #expect(held?.batches(after: 2)?.map(\.bytes) == batches.map(\.bytes))
  }

  @Test func valuesReadBack() throws {
    #expect(try HostRecord(bytes: record(3).bytes) == record(3))
    var withEpoch = record(3)
    withEpoch.epoch = 9
    withEpoch.epochKey = [UInt8](repeating: 1, count: 32)
    #expect(try HostRecord(bytes: withEpoch.bytes) == withEpoch)
    for status in [
      NetworkStatus(standing: .stands, hasVIF: true), NetworkStatus(standing: .stands, hasVIF: false),
      NetworkStatus(standing: .fails("no bridge"), hasVIF: true),
    ] {
      #expect(try NetworkStatus.read(status.bytes) == status)
    }
    #expect(try NetworkStatus.read(NetworkStatus.goneBytes) == nil)
    let claim = Claim(
      state: .damped, sequence: MobilitySequence(7), ips: [.v4(1), .v6(high: 1, low: 2)], vif: "vif1.0", vm: "web",
      isBackedByXen: true, isContested: true, others: [Claim.OtherVIF(vif: "vif2.0", vm: "copy")])
    #expect(try Claim(bytes: claim.bytes) == claim)
  }

  @Test func keysReadBackAndBadOnesAreRefused() throws {
    for key in [
      StatementKey.host, .network(net(4)), .claim(net(4), mac(9)), .complete, .unknown(kind: 77, [1]),
    ] { #expect(try StatementKey(bytes: key.bytes) == key) }
    #expect(throws: WireError.self) { try StatementKey(bytes: []) }
    #expect(throws: WireError.self) { try StatementKey(bytes: [1, 2]) }
    #expect(throws: WireError.self) { try StatementKey(bytes: [3] + [UInt8](repeating: 0, count: 21)) }
    #expect(throws: WireError.self) { try StatementKey(bytes: [UInt8](repeating: 50, count: 65)) }
    for key in [
      PoolRecordKey.admission(hostID(1)), .revocation(hostID(1)), .left(hostID(2)), .networkCreation(net(1)),
      .networkField(net(1), .name), .networkField(net(1), .mtu), .networkField(net(1), .option("x")),
      .networkDeletion(net(2)), .unknown(kind: 70, [2]),
    ] { #expect(try PoolRecordKey(bytes: key.bytes) == key) }
    let future = PoolRecordKey.networkCreation(net(1)).bytes
    let unknownField = try PoolRecordKey(bytes: [5] + future[1...] + [99, 1])
    #expect(unknownField.bytes == [5] + future[1...] + [99, 1])
  }
}
