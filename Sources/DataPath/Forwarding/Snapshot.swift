/// All that threads read, by plain pointers: what they point at stands, and never changes, until every thread that may
/// have it was seen past it.
struct Snapshot {
  let networks: NetworkPart.Reader
  let inbound: InboundPart.Reader
  let peers: UnsafePointer<PeerRecord>
  /// One UDP socket per queue; -1 while there is none.
  let sockets: UnsafePointer<Int32>
}

/// A snapshot, and the ownership of what it points at.
final class SnapshotOwner {
  let snapshot: UnsafePointer<Snapshot>
  private let held: (NetworkPart, InboundPart, PeerPart, Descriptors)

  init(_ networks: NetworkPart, _ inbound: InboundPart, _ peers: PeerPart, _ sockets: Descriptors) {
    let storage = UnsafeMutablePointer<Snapshot>.allocate(capacity: 1)
    storage.initialize(
      to: Snapshot(
        networks: networks.reader, inbound: inbound.reader, peers: peers.records, sockets: sockets.each))
    snapshot = UnsafePointer(storage)
    held = (networks, inbound, peers, sockets)
  }

  deinit { snapshot.deallocate() }
}
