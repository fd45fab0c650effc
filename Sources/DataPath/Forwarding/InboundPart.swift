/// What threads know of an inbound SA.
struct InboundRecord {
  /// 0: an empty slot.
  let spi: UInt32
  let peer: MACTable.PeerIndex
  /// Whose thread opens its packets.
  let queue: Int
  /// The peer's address as `weft_received` has it.
  let sourceHigh: UInt64
  let sourceLow: UInt64
  let association: Unmanaged<InboundSA>?
}

/// All inbound SAs by SPI, as published: never changed. Open addressing on the SPI itself, which is a random number.
final class InboundPart {
  struct Reader {
    fileprivate let slots: UnsafePointer<InboundRecord>
    fileprivate let mask: Int

    /// - Parameter spi: not 0.
    func find(_ spi: UInt32) -> UnsafePointer<InboundRecord>? {
      var place = Int(spi) & mask
      while true {
        let slot = slots + place
        if slot.pointee.spi == spi { return slot }
        if slot.pointee.spi == 0 { return nil }
        place = (place &+ 1) & mask
      }
    }
  }

  let reader: Reader
  /// What the records point at.
  private let associations: [InboundSA]

  init(_ items: [InboundRecord], associations: [InboundSA]) {
    var capacity = 16
    while capacity < items.count * 4 { capacity *= 2 }
    let slots = UnsafeMutablePointer<InboundRecord>.allocate(capacity: capacity)
    slots.initialize(
      repeating: InboundRecord(spi: 0, peer: 0, queue: 0, sourceHigh: 0, sourceLow: 0, association: nil),
      count: capacity)
    for item in items {
      var place = Int(item.spi) & (capacity - 1)
      while slots[place].spi != 0 { place = (place + 1) & (capacity - 1) }
      slots[place] = item
    }
    reader = Reader(slots: UnsafePointer(slots), mask: capacity - 1)
    self.associations = associations
  }

  deinit { reader.slots.deallocate() }
}
