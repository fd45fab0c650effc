import Wire

/// A descriptor that a thread waits for from the next snapshot on, or no more.
struct WatchChange {
  let waiting: Waiting
  var old: Descriptors?
  let new: Descriptors?
  let index: Int
  /// What the thread finds with the event.
  let place: UInt64
  /// Where the errno is noted if the descriptor cannot be waited for, which makes its network one without a TAP. nil:
  /// it is tried again with the next snapshot.
  let failure: FailureWord?

  /// - Returns: what is left to do.
  func apply() -> WatchChange? {
    if let old, old.each[index] >= 0 { waiting.remove(old.each[index]) }
    guard let new, new.each[index] >= 0 else { return nil }
    let code = waiting.add(new.each[index], place)
    guard code != 0 else { return nil }
    if let failure {
      failure.note(code)
      return nil
    }
    var rest = self
    rest.old = nil
    return rest
  }
}

extension DataPath {
  /// Makes all changes since the last call take effect as one.
  package func publish() {
    if peers.forgetUnneeded() { arePeersStale = true }
    guard areNetworksStale || isInboundStale || arePeersStale || areSocketsStale || !watchChanges.isEmpty else {
      publication.reclaim()
      return
    }
    if areNetworksStale { networkPart = makeNetworkPart() }
    if isInboundStale { inboundPart = makeInboundPart() }
    if arePeersStale { peerPart = peers.publish(from: sockets.local, port: settings.port) }
    (areNetworksStale, isInboundStale, arePeersStale, areSocketsStale) = (false, false, false, false)
    publication.publish(SnapshotOwner(networkPart, inboundPart, peerPart, sockets))
    // After the snapshot, for an event has to find in it what it is about.
    let hasDescriptors = !watchChanges.isEmpty
    watchChanges = watchChanges.compactMap { $0.apply() }
    // A TAP queue that stays open gets frames that nobody reads, and a socket packets: worth a moment, as this is rare.
    if hasDescriptors { publication.settle() }
  }

  private func makeNetworkPart() -> NetworkPart {
    var held: [AnyObject] = []
    let records = places.map { open in
      guard let open else { return vacancy.record }
      let item = open.publish()
      held += item.held
      return item.record
    }
    return NetworkPart(records, holding: held + [vacancy])
  }

  private func makeInboundPart() -> InboundPart {
    let records = inbound.map { spi, item in
      let source = item.peer.vtep.source
      return InboundRecord(
        spi: spi.value, peer: item.peer.index, queue: item.peer.vtep.queue(of: settings.queues),
        sourceHigh: source.high,
        sourceLow: source.low, association: Unmanaged.passUnretained(item.association))
    }
    return InboundPart(records, associations: inbound.values.map(\.association))
  }
}
