import CLinux
import Wire

/// An open network, as the engine's thread knows it.
final class OpenNetwork {
  var network: PathNetwork
  /// Among the records of `NetworkPart`; it keeps it while it is open.
  let place: Int
  var tap: TapQueues
  let counters: CounterBlock<NetworkCounter>
  /// A word that the sender's threads set.
  let failure: FailureWord
  private(set) var table = MACTable()
  private(set) var flood: [KnownPeer] = []
  private var floodList = FloodList([])
  /// The table is part of a snapshot, and so is copied before it is changed.
  private var isTablePublished = false
  private var isFloodListStale = false

  init(_ network: PathNetwork, place: Int, tap: TapQueues, threads: Int) {
    self.network = network
    self.place = place
    self.tap = tap
    counters = CounterBlock(threads: threads)
    failure = FailureWord()
  }

  /// - Returns: the index that the entry had before.
  func set(_ mac: MACAddress, _ peer: KnownPeer) -> MACTable.PeerIndex? {
    makeTableOwn()
    return table.set(mac, peer.index)
  }

  func remove(_ mac: MACAddress) -> MACTable.PeerIndex? {
    makeTableOwn()
    return table.remove(mac)
  }

  private func makeTableOwn() {
    if isTablePublished { table = MACTable(copying: table) }
    isTablePublished = false
  }

  /// - Returns: whether it was not there.
  func addFlood(_ peer: KnownPeer) -> Bool {
    guard !flood.contains(where: { $0 === peer }) else { return false }
    flood.append(peer)
    isFloodListStale = true
    return true
  }

  /// - Returns: whether it was there.
  func removeFlood(_ peer: KnownPeer) -> Bool {
    guard let place = flood.firstIndex(where: { $0 === peer }) else { return false }
    flood.remove(at: place)
    isFloodListStale = true
    return true
  }

  /// What threads see of it, and what has to stand as long.
  func publish() -> (record: NetworkRecord, held: [AnyObject]) {
    isTablePublished = true
    if isFloodListStale { floodList = FloodList(flood.map(\.index)) }
    isFloodListStale = false
    let record = NetworkRecord(
      vni: network.vni, kind: network.encapsulation.kind, mtu: network.mtu, table: table.reader,
      flood: floodList.peers, floodCount: floodList.count, tap: tap.each, counters: counters.rows,
      failure: failure.word)
    return (record, [table, floodList, tap, counters, failure])
  }

  var traffic: PathCounters.Network {
    func sum(_ counter: NetworkCounter) -> UInt64 { counters.sum(counter) }
    return PathCounters.Network(
      framesOut: sum(.framesOut), bytesOut: sum(.bytesOut), packetsOut: sum(.packetsOut), framesCut: sum(.framesCut),
      framesFlooded: sum(.framesFlooded), packetsIn: sum(.packetsIn), framesIn: sum(.framesIn), bytesIn: sum(.bytesIn),
      framesJoined: sum(.framesJoined), drops: counters.drops)
  }
}

/// Where the errno is noted by which a TAP was found to be of no use.
final class FailureWord {
  let word: UnsafeMutablePointer<UInt64>

  init() {
    word = .allocate(capacity: 1)
    word.initialize(to: 0)
  }

  deinit { word.deallocate() }

  var code: Int32 { Int32(truncatingIfNeeded: weft_load(word)) }

  func note(_ code: Int32) { weft_store(word, UInt64(code)) }
}

extension PathEncapsulation {
  var kind: InnerHeader.Kind { self == .vxlan ? .vxlan : .gre }
}
