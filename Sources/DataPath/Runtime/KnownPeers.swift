import Wire

/// The hosts that anything is known of, by address and by index.
struct KnownPeers {
  private let threads: Int
  private var byAddress: [VTEP: KnownPeer] = [:]
  private var byIndex: [KnownPeer?] = []
  private var free: [MACTable.PeerIndex] = []

  private var mayHaveUnneeded = false
  /// Of places without a host, which no table names.
  private let nobody: KnownPeer

  init(threads: Int) {
    self.threads = threads
    nobody = KnownPeer(.v4(0), index: 0, threads: threads)
  }

  subscript(vtep: VTEP) -> KnownPeer? { byAddress[vtep] }

  subscript(index: MACTable.PeerIndex) -> KnownPeer? { byIndex[Int(index)] }

  var all: some Collection<KnownPeer> { byAddress.values }

  /// The host, made if it is not known. nil if there are 65,536 already.
  mutating func make(_ vtep: VTEP) -> KnownPeer? {
    if let known = byAddress[vtep] { return known }
    guard let index = free.popLast() ?? MACTable.PeerIndex(exactly: byIndex.count) else { return nil }
    let peer = KnownPeer(vtep, index: index, threads: threads)
    if Int(index) == byIndex.count { byIndex.append(peer) } else { byIndex[Int(index)] = peer }
    byAddress[vtep] = peer
    return peer
  }

  /// Something that named the host does so no more.
  mutating func release(_ peer: KnownPeer, uses: Int = 1) {
    peer.uses -= uses
    if !peer.isNeeded { mayHaveUnneeded = true }
  }

  /// Forgets hosts that nothing names any more.
  /// - Returns: whether there were any.
  mutating func forgetUnneeded() -> Bool {
    guard mayHaveUnneeded else { return false }
    mayHaveUnneeded = false
    let gone = byAddress.values.filter { !$0.isNeeded }
    for peer in gone {
      byAddress[peer.vtep] = nil
      byIndex[Int(peer.index)] = nil
      free.append(peer.index)
    }
    return !gone.isEmpty
  }

  func publish(from local: VTEP?, port: UInt16) -> PeerPart {
    PeerPart(
      byIndex.map { ($0 ?? nobody).record(from: local, port: port) }, associations: all.compactMap(\.sealing),
      counters: all.map(\.counters) + [nobody.counters])
  }
}
