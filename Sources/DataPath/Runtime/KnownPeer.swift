import Wire

/// Another host, as the engine's thread knows it: as long as an entry, a flood list or an SA names it.
final class KnownPeer {
  let vtep: VTEP
  /// Among the records of `PeerPart`.
  let index: MACTable.PeerIndex
  let counters: CounterBlock<PeerCounter>
  var outbound: [SPI: OutboundSA] = [:]
  /// What frames are sealed by, if it is there.
  var inUse: SPI?
  /// Entries, places in flood lists and inbound SAs.
  var uses = 0

  init(_ vtep: VTEP, index: MACTable.PeerIndex, threads: Int) {
    self.vtep = vtep
    self.index = index
    counters = CounterBlock(threads: threads)
  }

  var isNeeded: Bool { uses > 0 || !outbound.isEmpty }

  var sealing: OutboundSA? { inUse.flatMap { outbound[$0] } }

  func record(from local: VTEP?, port: UInt16) -> PeerRecord {
    let isReachable = local?.isV6 == vtep.isV6
    var addresses: UInt64 = 0
    if isReachable, vtep.isV6, let local {
      addresses = InternetChecksum.add(InternetChecksum.sum(of: local), InternetChecksum.sum(of: vtep))
    }
    return PeerRecord(
      target: vtep.target(port: port), addressSum: addresses, isReachable: isReachable,
      outbound: sealing.map { Unmanaged.passUnretained($0) }, counters: counters.rows)
  }

  var traffic: PathCounters.Peer {
    func sum(_ counter: PeerCounter) -> UInt64 { counters.sum(counter) }
    return PathCounters.Peer(
      packetsOut: sum(.packetsOut), bytesOut: sum(.bytesOut), packetsIn: sum(.packetsIn), bytesIn: sum(.bytesIn),
      drops: counters.drops)
  }
}
