import CLinux

/// What threads know of another host.
struct PeerRecord {
  let target: weft_target
  /// Over IPv6: the sum of both ends' addresses, for the UDP checksum of the tunnel header. 0 over IPv4, which has none.
  let addressSum: UInt64
  /// The addresses of both ends are of one family.
  let isReachable: Bool
  /// What frames are sealed by; nil: nothing goes.
  let outbound: Unmanaged<OutboundSA>?
  let counters: CounterRows<PeerCounter>

  /// The address of the host's address, which stands as long as the record.
  static func target(of record: UnsafePointer<PeerRecord>) -> UnsafePointer<weft_target> {
    // The first stored property is where the record is.
    UnsafeRawPointer(record).assumingMemoryBound(to: weft_target.self)
  }
}

/// All hosts by their index, as published: never changed.
final class PeerPart {
  let records: UnsafePointer<PeerRecord>
  /// What the records point at.
  private let associations: [OutboundSA]
  private let counters: [CounterBlock<PeerCounter>]

  init(_ items: [PeerRecord], associations: [OutboundSA], counters: [CounterBlock<PeerCounter>]) {
    let storage = UnsafeMutablePointer<PeerRecord>.allocate(capacity: max(items.count, 1))
    for (index, item) in items.enumerated() { (storage + index).initialize(to: item) }
    records = UnsafePointer(storage)
    self.associations = associations
    self.counters = counters
  }

  deinit { records.deallocate() }
}
