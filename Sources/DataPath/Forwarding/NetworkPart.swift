import Wire

/// What threads know of a network.
struct NetworkRecord {
  /// nil: no network has this place.
  let vni: VNI?
  let kind: InnerHeader.Kind
  /// Of the guests, in bytes.
  let mtu: Int
  let table: MACTable.Reader
  let flood: UnsafePointer<MACTable.PeerIndex>
  let floodCount: Int
  /// One descriptor per queue.
  let tap: UnsafePointer<Int32>
  let counters: CounterRows<NetworkCounter>
  /// The errno by which the TAP was found to be gone, or 0.
  let failure: UnsafeMutablePointer<UInt64>

  /// The longest frame, with its Ethernet header and as many VLAN tags as it has, two at most: tags are no part of the
  /// MTU (IEEE 802.1Q), and the kernel's bridge, which takes the outer one out of the frame, lets two pass. The default MTU
  /// of networks leaves room for one in the underlay; for two it is chosen by hand.
  ///
  /// - Parameter frame: at least 14 bytes.
  func longest(_ frame: UnsafeRawPointer, _ count: Int) -> Int {
    guard Self.isTag(frame.network16(12)) else { return mtu &+ 14 }
    guard count >= 18, Self.isTag(frame.network16(16)) else { return mtu &+ 18 }
    return mtu &+ 22
  }

  private static func isTag(_ type: UInt16) -> Bool { type == 0x8100 || type == 0x88a8 }
}

/// All open networks by their place, and where each VNI is, as published: never changed.
final class NetworkPart {
  struct Reader {
    let records: UnsafePointer<NetworkRecord>
    let count: Int
    fileprivate let index: UnsafePointer<UInt32>
    fileprivate let mask: Int

    /// The place of an open network.
    /// - Parameter vni: not 0.
    func find(_ vni: UInt32) -> Int? {
      var place = NetworkPart.home(vni, mask)
      while true {
        let network = Int(index[place])
        guard network != 0 else { return nil }
        if records[network &- 1].vni?.value == vni { return network &- 1 }
        place = (place &+ 1) & mask
      }
    }
  }

  let reader: Reader
  private let storage: UnsafeMutablePointer<NetworkRecord>
  private let index: UnsafeMutablePointer<UInt32>
  /// What the records point at.
  private let held: [AnyObject]

  init(_ items: [NetworkRecord], holding held: [AnyObject]) {
    storage = .allocate(capacity: max(items.count, 1))
    for (place, item) in items.enumerated() { (storage + place).initialize(to: item) }
    var capacity = 16
    while capacity < items.count * 4 { capacity *= 2 }
    index = .allocate(capacity: capacity)
    index.initialize(repeating: 0, count: capacity)
    for (number, item) in items.enumerated() {
      guard let vni = item.vni else { continue }
      var place = Self.home(vni.value, capacity - 1)
      while index[place] != 0 { place = (place + 1) & (capacity - 1) }
      index[place] = UInt32(number + 1)
    }
    reader = Reader(
      records: UnsafePointer(storage), count: items.count, index: UnsafePointer(index), mask: capacity - 1)
    self.held = held
  }

  deinit {
    storage.deallocate()
    index.deallocate()
  }

  /// The upper bits of the product, by which numbers that differ in any bit are told apart (Knuth, volume 3, section 6.4).
  static func home(_ vni: UInt32, _ mask: Int) -> Int {
    Int(truncatingIfNeeded: (UInt64(vni &* 0x9e37_79b1) &* UInt64(truncatingIfNeeded: mask &+ 1)) >> 32)
  }
}

/// Hosts that get what is flooded, as published: never changed.
final class FloodList {
  let peers: UnsafePointer<MACTable.PeerIndex>
  let count: Int

  init(_ items: [MACTable.PeerIndex]) {
    let storage = UnsafeMutablePointer<MACTable.PeerIndex>.allocate(capacity: max(items.count, 1))
    storage.initialize(repeating: 0, count: max(items.count, 1))
    for (place, item) in items.enumerated() { storage[place] = item }
    peers = UnsafePointer(storage)
    count = items.count
  }

  deinit { peers.deallocate() }
}
