import Wire

extension DataPath {
  /// Sends from and receives at this address. Called again when the address of the host changes; what stood before goes on
  /// until `publish`.
  package func bind(to local: VTEP) throws(DataPathError) {
    guard sockets.local != local else { return }
    let next = try openSockets(at: local)
    pastOverflows += sockets.overflows
    for (index, receiver) in receivers.enumerated() {
      watchChanges.append(
        WatchChange(waiting: receiver.waiting, old: sockets, new: next, index: index, place: 0, failure: nil))
    }
    former.append(Former(sockets: sockets))
    sockets = next
    areSocketsStale = true
    arePeersStale = true
  }

  /// Those that were bound to this address before, as long as a snapshot has them: nobody can bind to it a second time.
  private func openSockets(at local: VTEP) throws(DataPathError) -> PathSockets {
    publication.reclaim()
    former.removeAll { $0.sockets == nil }
    if let found = former.lazy.compactMap(\.sockets).first(where: { $0.local == local }) {
      pastOverflows -= min(pastOverflows, found.overflows)
      return found
    }
    return try PathSockets(at: local, port: settings.port, count: settings.queues)
  }

  /// Carries a network. If it is open, changes what differs and keeps its entries.
  /// - Throws: ENODEV if there is no such TAP, EINVAL if it is of another kind. Queues of another process are no error: the
  ///   kernel then gives each process the frames of some flows.
  package func open(_ network: PathNetwork) throws(DataPathError) {
    closeBroken(network.vni)
    guard let open = networks[network.vni] else { return try openNew(network) }
    guard open.network != network else { return }
    if open.network.tap != network.tap {
      let tap = try TapQueues(network.tap, count: settings.queues)
      watch(open, from: open.tap, to: tap)
      open.tap = tap
    }
    open.network = network
    areNetworksStale = true
  }

  private func openNew(_ network: PathNetwork) throws(DataPathError) {
    let tap = try TapQueues(network.tap, count: settings.queues)
    let place = places.firstIndex { $0 == nil } ?? places.count
    let open = OpenNetwork(network, place: place, tap: tap, threads: threadCount)
    if place == places.count { places.append(open) } else { places[place] = open }
    networks[network.vni] = open
    watch(open, from: nil, to: tap)
    areNetworksStale = true
  }

  private func watch(_ network: OpenNetwork, from old: TapQueues?, to new: TapQueues?) {
    for (index, sender) in senders.enumerated() {
      watchChanges.append(
        WatchChange(
          waiting: sender.waiting, old: old, new: new, index: index, place: UInt64(network.place),
          failure: network.failure))
    }
  }

  /// Carries the network no longer, and forgets its entries.
  package func close(_ vni: VNI) {
    guard let open = networks.removeValue(forKey: vni) else { return }
    places[open.place] = nil
    watch(open, from: open.tap, to: nil)
    for entry in open.table.entries { release(entry.peer) }
    for peer in open.flood { peers.release(peer) }
    areNetworksStale = true
  }

  /// A TAP that is gone does not come back: the next one of its name is another device.
  private func closeBroken(_ vni: VNI) {
    if let open = networks[vni], open.failure.code != 0 { close(vni) }
  }

  /// Frames to this address go to this host. Without effect on a network that is not open.
  package func setRemote(_ mac: MACAddress, _ vtep: VTEP, in vni: VNI) {
    guard let open = networks[vni], mac.isStation, let peer = known(vtep) else { return }
    guard open.table[mac] != peer.index else { return }
    peer.uses += 1
    if let old = open.set(mac, peer) { release(old) }
    areNetworksStale = true
  }

  package func removeRemote(_ mac: MACAddress, in vni: VNI) {
    guard let open = networks[vni], open.table[mac] != nil else { return }
    if let old = open.remove(mac) { release(old) }
    areNetworksStale = true
  }

  /// Broadcast, multicast and frames to unknown addresses go to this host too.
  package func addFlood(_ vtep: VTEP, in vni: VNI) {
    guard let open = networks[vni], let peer = known(vtep), open.addFlood(peer) else { return }
    peer.uses += 1
    areNetworksStale = true
  }

  package func removeFlood(_ vtep: VTEP, in vni: VNI) {
    guard let open = networks[vni], let peer = peers[vtep], open.removeFlood(peer) else { return }
    peers.release(peer)
    areNetworksStale = true
  }

  /// nil if the network is not open, also because its TAP has vanished (see `problems`).
  package func forwarding(of vni: VNI) -> PathForwarding? {
    guard let open = networks[vni], open.failure.code == 0 else { return nil }
    var forwarding = PathForwarding(network: open.network, flood: Set(open.flood.map(\.vtep)))
    for entry in open.table.entries { forwarding.remotes[entry.address] = peers[entry.peer]?.vtep }
    return forwarding
  }

  /// Networks that are open and whose TAP is there.
  package var openNetworks: [VNI] { networks.values.filter { $0.failure.code == 0 }.map(\.network.vni).sorted() }

  /// Networks that were open and whose TAP has vanished. They are closed by this call, which tells of each once.
  package func problems() -> [PathProblem] {
    let broken = networks.values.filter { $0.failure.code != 0 }.sorted { $0.network.vni < $1.network.vni }
    for open in broken { close(open.network.vni) }
    return broken.map { .tapGone($0.network.vni, name: $0.network.tap, code: $0.failure.code) }
  }

  /// The host, known from now on. A host that was not known gets a record.
  func known(_ vtep: VTEP) -> KnownPeer? {
    if let known = peers[vtep] { return known }
    arePeersStale = true
    return peers.make(vtep)
  }

  private func release(_ index: MACTable.PeerIndex) {
    if let peer = peers[index] { peers.release(peer) }
  }
}
