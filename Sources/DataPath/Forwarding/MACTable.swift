import Wire

/// The hosts behind the addresses of a network: a hash table with open addressing and linear probing, 8 bytes an entry.
///
/// Threads read it by a `Reader` while nobody changes it; who wants to change a table that is published takes a copy.
final class MACTable {
  /// A host by its place in `PeerPart`.
  typealias PeerIndex = UInt16

  /// What threads look into; stands as long as the table.
  struct Reader {
    fileprivate let slots: UnsafePointer<UInt64>
    fileprivate let shift: UInt64
    fileprivate let factor: UInt64

    /// - Parameter address: 48 bits, not 0.
    func find(_ address: UInt64) -> PeerIndex? {
      let mask = 1 << (64 &- Int(shift)) &- 1
      var place = Int(truncatingIfNeeded: (address &* factor) >> shift)
      while true {
        let slot = slots[place]
        if slot >> 16 == address { return PeerIndex(truncatingIfNeeded: slot) }
        if slot == 0 { return nil }
        place = (place &+ 1) & mask
      }
    }
  }

  private static let smallestShift: UInt64 = 60

  /// The address in the upper 48 bits, the index below; 0 is an empty slot.
  private var slots: UnsafeMutablePointer<UInt64>
  private var shift: UInt64
  /// Odd, and random: guests choose their addresses, and nobody is to choose many of the same place (Knuth, volume 3,
  /// section 6.4, has the method).
  let factor: UInt64
  private(set) var count: Int

  private var capacity: Int { 1 << (64 - Int(shift)) }
  private var mask: Int { capacity - 1 }

  init() {
    shift = Self.smallestShift
    factor = .random(in: 0 ... .max) | 1
    count = 0
    slots = Self.makeSlots(1 << (64 - Int(Self.smallestShift)))
  }

  init(copying other: MACTable) {
    shift = other.shift
    factor = other.factor
    count = other.count
    slots = .allocate(capacity: other.capacity)
    slots.initialize(from: other.slots, count: other.capacity)
  }

  deinit { slots.deallocate() }

  var reader: Reader { Reader(slots: UnsafePointer(slots), shift: shift, factor: factor) }

  subscript(address: MACAddress) -> PeerIndex? { address == .zero ? nil : reader.find(address.value) }

  /// Every entry, in no order.
  var entries: [(address: MACAddress, peer: PeerIndex)] {
    (0..<capacity).compactMap { place in
      guard slots[place] != 0, let address = MACAddress(slots[place] >> 16) else { return nil }
      return (address, PeerIndex(truncatingIfNeeded: slots[place]))
    }
  }

  /// - Returns: what stood there before.
  @discardableResult
  func set(_ address: MACAddress, _ peer: PeerIndex) -> PeerIndex? {
    guard address != .zero else { return nil }
    if (count + 1) * 2 > capacity { grow() }
    let place = place(of: address.value)
    let old = slots[place]
    slots[place] = address.value << 16 | UInt64(peer)
    if old == 0 { count += 1 }
    return old == 0 ? nil : PeerIndex(truncatingIfNeeded: old)
  }

  /// - Returns: what stood there.
  @discardableResult
  func remove(_ address: MACAddress) -> PeerIndex? {
    guard address != .zero else { return nil }
    var hole = place(of: address.value)
    guard slots[hole] != 0 else { return nil }
    let old = PeerIndex(truncatingIfNeeded: slots[hole])
    count -= 1
    // Entries behind the hole that it would cut off from where their search begins move into it (Knuth, algorithm R).
    var next = hole
    while true {
      slots[hole] = 0
      repeat {
        next = (next + 1) & mask
        if slots[next] == 0 { return old }
      } while isBetween(home(slots[next] >> 16), after: hole, upTo: next)
      slots[hole] = slots[next]
      hole = next
    }
  }

  private func isBetween(_ place: Int, after: Int, upTo: Int) -> Bool {
    after <= upTo ? after < place && place <= upTo : after < place || place <= upTo
  }

  private func home(_ address: UInt64) -> Int { Int(truncatingIfNeeded: (address &* factor) >> shift) }

  /// Where the address stands, or would be put.
  private func place(of address: UInt64) -> Int {
    var place = home(address)
    while slots[place] != 0, slots[place] >> 16 != address { place = (place + 1) & mask }
    return place
  }

  private func grow() {
    let (old, oldCapacity) = (slots, capacity)
    shift -= 1
    slots = Self.makeSlots(capacity)
    for index in 0..<oldCapacity where old[index] != 0 { slots[place(of: old[index] >> 16)] = old[index] }
    old.deallocate()
  }

  private static func makeSlots(_ capacity: Int) -> UnsafeMutablePointer<UInt64> {
    let slots = UnsafeMutablePointer<UInt64>.allocate(capacity: capacity)
    slots.initialize(repeating: 0, count: capacity)
    return slots
  }
}
