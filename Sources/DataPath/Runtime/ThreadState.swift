/// What each thread of the packet path has.
struct ThreadState {
  let queue: Int
  /// Its row in all counters.
  let thread: Int
  let publication: Publication
  let reader: Publication.Reader
  let waiting: Waiting
  /// Its own counters, and all its drops.
  let counters: CounterRow<QueueCounter>

  func drop(_ reason: DropReason, _ number: Int = 1) { counters.drop(reason, number) }

  /// Counts a drop of a network's frame.
  func drop(_ reason: DropReason, in network: UnsafePointer<NetworkRecord>) {
    drop(reason)
    network.pointee.counters.row(thread).drop(reason)
  }

  /// Counts drops of packets to or from a host.
  func drop(_ reason: DropReason, with peer: UnsafePointer<PeerRecord>, _ number: Int = 1) {
    drop(reason, number)
    peer.pointee.counters.row(thread).drop(reason, number)
  }

  /// Counts a drop of a frame of a network to or from a host.
  func drop(
    _ reason: DropReason, in network: UnsafePointer<NetworkRecord>, with peer: UnsafePointer<PeerRecord>
  ) {
    drop(reason, in: network)
    peer.pointee.counters.row(thread).drop(reason)
  }
}
