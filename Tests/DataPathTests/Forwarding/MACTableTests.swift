import Testing
import Wire

@testable import DataPath

@Suite struct MACTableTests {
  private static func address(_ number: UInt64) -> MACAddress { MACAddress(0x0200_5e00_0000 | number) ?? .zero }

  @Test(arguments: [UInt64(1), 2, 3])
  func aTableAnswersAsADictionaryDoes(seed: UInt64) {
    var random = SeededGenerator(seed: seed)
    let table = MACTable()
    var model: [MACAddress: UInt16] = [:]
    for _ in 0..<20_000 {
      // Few addresses, so that entries come and go at the same places.
      let mac = Self.address(UInt64.random(in: 0..<300, using: &random))
      let peer = UInt16.random(in: 0...UInt16.max, using: &random)
      if Bool.random(using: &random) {
        #expect(table.set(mac, peer) == model.updateValue(peer, forKey: mac))
      } else {
        #expect(table.remove(mac) == model.removeValue(forKey: mac))
      }
    }
    #expect(table.count == model.count && !model.isEmpty)
    for number in 0..<300 { #expect(table[Self.address(UInt64(number))] == model[Self.address(UInt64(number))]) }
    #expect(Dictionary(uniqueKeysWithValues: table.entries.map { ($0.address, $0.peer) }) == model)
  }

  @Test func aTableGrowsAndFindsAll() {
    let table = MACTable()
    for number in 0..<5000 { table.set(Self.address(UInt64(number) << 8 | 7), UInt16(number)) }
    #expect(table.count == 5000)
    for number in 0..<5000 { #expect(table[Self.address(UInt64(number) << 8 | 7)] == UInt16(number)) }
    #expect(table[Self.address(8)] == nil)
  }

  @Test func aCopyDoesNotChangeWithItsOriginal() {
    let table = MACTable()
    for number in 1...20 { table.set(Self.address(UInt64(number)), UInt16(number)) }
    let copy = MACTable(copying: table)
    copy.set(Self.address(1), 99)
    copy.remove(Self.address(2))
    #expect(table[Self.address(1)] == 1 && table[Self.address(2)] == 2)
    #expect(copy[Self.address(1)] == 99 && copy[Self.address(2)] == nil && copy.count == 19)
  }

  @Test func nobodyKnowsWhereAnAddressStands() {
    let factors = (0..<100).map { _ in MACTable().factor }
    #expect(Set(factors).count == 100 && factors.allSatisfy { $0 % 2 == 1 })
    let table = MACTable()
    #expect(MACTable(copying: table).factor == table.factor)
  }

  @Test func theZeroAddressIsNobodys() {
    let table = MACTable()
    #expect(table.set(.zero, 5) == nil)
    #expect(table[.zero] == nil && table.remove(.zero) == nil && table.count == 0 && table.entries.isEmpty)
  }

  @Test func anEntryOfTheHighestAddressAndPeerIsFound() {
    let table = MACTable()
    table.set(.broadcast, .max)
    #expect(table[.broadcast] == .max)
  }
}
