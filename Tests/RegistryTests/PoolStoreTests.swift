import Testing
import Wire

@testable import Registry

@Suite struct PoolStoreTests {
  private func record(_ key: PoolRecordKey, _ counter: UInt64, by author: UInt64, _ body: [UInt8] = []) -> PoolRecord {
    PoolRecord(
      key: key, stamp: RecordStamp(counter: counter, author: hostID(author)), body: body,
      sign: TestKey.sign(hostID(author)))
  }

  private func creation(_ number: UInt64, vni: UInt32, bridge: String, name: String = "n") throws -> [UInt8] {
    NetworkCreation(
      vni: try #require(VNI(vni)), bridge: try BridgeName(bridge), encapsulation: .vxlan, encryption: .off,
      mtu: try NetworkMTU(1400), name: try NetworkName("\(name)\(number)")
    ).bytes
  }

  /// A set of records that contends in every way: same keys, same stamps, deletions, revocations.
  private func contendingRecords(_ generator: inout SeededGenerator) throws -> [PoolRecord] {
    var records: [PoolRecord] = []
    for _ in 0..<40 {
      let number = UInt64.random(in: 1...3, using: &generator)
      let counter = UInt64.random(in: 1...8, using: &generator)
      let author = UInt64.random(in: 1...3, using: &generator)
      let tag = UInt8.random(in: 0...3, using: &generator)
      switch Int.random(in: 0..<8, using: &generator) {
      case 0: records.append(record(.admission(hostID(number)), counter, by: author, RecordBody.certificate([tag])))
      case 1: records.append(record(.revocation(hostID(number)), counter, by: author, [tag]))
      case 2: records.append(record(.left(hostID(number)), counter, by: author, [tag]))
      case 3:
        let body = try creation(number, vni: UInt32(tag) + 1, bridge: "br\(tag)")
        records.append(record(.networkCreation(net(number)), counter, by: author, body))
      case 4:
        let body = RecordBody.name(try NetworkName("name\(tag)"))
        records.append(record(.networkField(net(number), .name), counter, by: author, body))
      case 5:
        records.append(
          record(.networkField(net(number), .option("o\(tag)")), counter, by: author, RecordBody.option("v")))
      case 6: records.append(record(.networkDeletion(net(number)), counter, by: author, [tag]))
      default: records.append(record(.unknown(kind: 90, [UInt8(number)]), counter, by: author, [tag]))
      }
    }
    return records
  }

  @Test(arguments: 0..<100)
  func theOrderAndRepetitionOfRecordsDoNotMatter(_ seed: UInt64) throws {
    var generator = SeededGenerator(seed: seed)
    let records = try contendingRecords(&generator)
    var first = PoolStore()
    for record in records { _ = first.merge(record) }
    for _ in 0..<20 {
      var other = PoolStore()
      for record in (records + records.shuffled(using: &generator).prefix(10)).shuffled(using: &generator) {
        _ = other.merge(record)
      }
      #expect(other.records == first.records)
      #expect(other.hash == first.hash)
      #expect(other.digests == first.digests)
    }
    // Associative: two halves, merged apart, then one into the other.
    let cut = Int.random(in: 0...records.count, using: &generator)
    var left = PoolStore()
    var right = PoolStore()
    for record in records[..<cut] { _ = left.merge(record) }
    for record in records[cut...] { _ = right.merge(record) }
    for record in right.records.values { _ = left.merge(record) }
    #expect(left.records == first.records)
    #expect(left.hash == first.hash)
  }

  @Test func ofACreationTheFirstStaysAndOfAFieldTheLast() throws {
    var store = PoolStore()
    let early = record(.networkCreation(net(1)), 1, by: 1, try creation(1, vni: 5, bridge: "a"))
    let late = record(.networkCreation(net(1)), 2, by: 2, try creation(1, vni: 6, bridge: "b"))
    _ = store.merge(late)
    _ = store.merge(early)
    #expect(store.records[early.key] == early)
    let old = record(.networkField(net(1), .mtu), 3, by: 1, RecordBody.mtu(try NetworkMTU(1300)))
    let new = record(.networkField(net(1), .mtu), 4, by: 1, RecordBody.mtu(try NetworkMTU(1200)))
    _ = store.merge(new)
    _ = store.merge(old)
    #expect(store.network(net(1))?.mtu.value == 1200)
    #expect(store.network(net(1))?.creation.vni.value == 5)
  }

  @Test func ofTwoWritesWithOneCounterTheHigherAuthorsCounts() throws {
    var store = PoolStore()
    let one = record(.networkField(net(1), .name), 3, by: 1, RecordBody.name(try NetworkName("one")))
    let two = record(.networkField(net(1), .name), 3, by: 2, RecordBody.name(try NetworkName("two")))
    _ = store.merge(two)
    _ = store.merge(one)
    #expect(store.records[one.key] == two)
  }

  @Test func aDeletedNetworkNeverComesBack() throws {
    var store = PoolStore()
    let creation = record(.networkCreation(net(1)), 1, by: 1, try creation(1, vni: 5, bridge: "a"))
    let field = record(.networkField(net(1), .name), 9, by: 1, RecordBody.name(try NetworkName("again")))
    _ = store.merge(creation)
    _ = store.merge(field)
    _ = store.merge(record(.networkDeletion(net(1)), 3, by: 2))
    #expect(store.network(net(1)) == nil)
    _ = store.merge(creation)
    _ = store.merge(field)
    #expect(store.network(net(1)) == nil)
    #expect(store.records.count == 1)
  }

  @Test func theNextStampIsAboveAllThatWereSeen() {
    var store = PoolStore()
    _ = store.merge(record(.left(hostID(3)), 41, by: 2))
    #expect(store.nextStamp(author: hostID(1)) == RecordStamp(counter: 42, author: hostID(1)))
    _ = store.merge(record(.left(hostID(4)), .max, by: 2))
    #expect(store.nextStamp(author: hostID(1)) == nil)
  }
}
