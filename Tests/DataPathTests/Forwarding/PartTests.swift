import Testing
import Wire

@testable import DataPath

@Suite struct PartTests {
  @Test func everySPIIsFoundAndNoOther() {
    let numbers = (0..<1000).map { UInt32($0 * 16 + 256) }
    let part = InboundPart(
      numbers.map {
        InboundRecord(spi: $0, peer: 0, queue: 0, sourceHigh: 0, sourceLow: UInt64($0), association: nil)
      }, associations: [])
    for spi in numbers {
      #expect(part.reader.find(spi)?.pointee.sourceLow == UInt64(spi))
      #expect(part.reader.find(spi + 1) == nil)
    }
  }

  @Test func everyNetworkIsFoundAndNoOther() throws {
    let vacancy = Vacancy(queues: 1, threads: 1)
    let empty = vacancy.record
    let records = (0..<300).map { place in
      NetworkRecord(
        vni: place % 3 == 0 ? nil : VNI(UInt32(place) << 8), kind: .gre, mtu: place, table: empty.table,
        flood: empty.flood, floodCount: 0, tap: empty.tap, counters: empty.counters, failure: empty.failure)
    }
    let part = NetworkPart(records, holding: [vacancy])
    for place in 0..<300 {
      #expect(part.reader.find(UInt32(place) << 8 | (place == 0 ? 1 : 0)) == (place % 3 == 0 ? nil : place))
      #expect(part.reader.find(UInt32(place) << 8 | 5) == nil)
    }
  }

  /// Identifiers that differ in few bits are not searched for one after the other.
  @Test func networksAreSpread() {
    for shift in UInt32(0)...16 {
      #expect(Set((UInt32(1)...64).map { NetworkPart.home($0 << shift, 255) }).count > 32, "shift \(shift)")
    }
    #expect((0..<1000).allSatisfy { (0...15).contains(NetworkPart.home($0, 15)) })
  }

  @Test func aFrameMayBeLongerByItsTags() {
    let vacancy = Vacancy(queues: 1, threads: 1)
    let empty = vacancy.record
    let network = NetworkRecord(
      vni: nil, kind: .gre, mtu: 1400, table: empty.table, flood: empty.flood, floodCount: 0, tap: empty.tap,
      counters: empty.counters, failure: empty.failure)
    func longest(_ types: [UInt8]) -> Int {
      let frame = [UInt8](repeating: 0, count: 12) + types
      return frame.withUnsafeBytes { $0.baseAddress.map { network.longest($0, frame.count) } ?? 0 }
    }
    #expect(longest([0x08, 0]) == 1414)
    #expect(longest([0x81, 0, 0, 5, 0x08, 0]) == 1418)
    #expect(longest([0x88, 0xa8, 0, 5, 0x81, 0, 0, 6, 0x08, 0]) == 1422)
    #expect(longest([0x88, 0xa8, 0, 5, 0x81, 0, 0, 6, 0x81, 0, 0, 7]) == 1422)
    // Cut off behind the tag's type.
    #expect(longest([0x81, 0]) == 1418)
  }
}
