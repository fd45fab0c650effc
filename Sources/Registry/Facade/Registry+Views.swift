import Wire

// What the command line and the data path look at.
extension Registry {
  // MARK: Networks

  /// All networks, in the order of their creation.
  package var networks: [NetworkView] {
    let conflicts = conflicts
    return pool.networks.map { view($0, conflictsWith: conflicts[$0.id]) }
  }

  package func network(_ id: NetworkID) -> NetworkView? {
    pool.network(id).map { view($0, conflictsWith: conflicts[id]) }
  }

  /// By UUID or by name.
  package func findNetwork(_ text: String) throws(RegistryError) -> NetworkView {
    if let id = NetworkID(text), let network = network(id) { return network }
    let named = networks.filter { $0.name.text == text }
    guard let first = named.first else { throw .noSuchNetwork(text) }
    guard named.count == 1 else { throw .ambiguousNetwork(text, named.map(\.id).sorted()) }
    return first
  }

  private func view(_ network: PoolStore.Network, conflictsWith earlier: NetworkID?) -> NetworkView {
    var problems: [HostProblem] = []
    var standing: [HostID] = []
    for (other, status) in statuses.statuses(of: network.id) where !index.hidden.contains(other) {
      if status.standing.carriesTraffic { standing.append(other) }
      if let reason = status.standing.problem { problems.append(HostProblem(host: other, reason: reason)) }
    }
    let state: NetworkView.State = earlier.map { .conflict(with: $0) } ?? (problems.isEmpty ? .ok : .degraded)
    return NetworkView(
      id: network.id, name: network.name, vni: network.creation.vni, bridge: network.creation.bridge,
      encapsulation: network.creation.encapsulation, encryption: network.creation.encryption, mtu: network.mtu,
      options: network.options, state: state, problems: problems, standing: standing, author: network.stamp.author)
  }

  // MARK: Hosts

  /// All hosts that the pool's records or statements tell of, this one included, in the order of their IDs.
  package var hosts: [HostView] {
    var known = Set(ledgers.keys)
    known.insert(host)
    for key in pool.records.keys {
      switch key {
      case .admission(let other), .revocation(let other), .left(let other): known.insert(other)
      case .networkCreation, .networkField, .networkDeletion, .unknown: break
      }
    }
    return known.sorted().compactMap { hostView($0) }
  }

  package func hostView(_ other: HostID) -> HostView? {
    let standing: HostView.Standing =
      pool.records[.revocation(other)] != nil ? .evicted : pool.records[.left(other)] != nil ? .left : .member
    let certificate = certificate(of: other)
    if other == host {
      return HostView(
        id: host, standing: standing, memberState: .alive, boot: boot,
        record: own.value(of: .host).flatMap { try? HostRecord(bytes: $0) }, version: own.version,
        isComplete: own.value(of: .complete) != nil, isHidden: false, certificate: certificate)
    }
    let ledger = ledgers[other]
    guard ledger != nil || certificate != nil || standing != .member else { return nil }
    return HostView(
      id: other, standing: standing, memberState: ledger?.memberState, boot: boot(of: other), record: ledger?.record,
      version: ledger?.latest?.version ?? 0, isComplete: ledger?.latest?.isComplete ?? false,
      isHidden: index.hidden.contains(other), certificate: certificate)
  }

  /// The latest boot in which the host was heard of.
  package func boot(of other: HostID) -> Boot? {
    if other == host { return boot }
    guard let ledger = ledgers[other] else { return nil }
    return [ledger.latest?.boot, ledger.recordBoot].compactMap { $0 }.max()
  }

  /// What packets for the host are sealed with: the X25519 keys of its latest host record.
  package func sealingKeys(of other: HostID) -> (boot: Boot, staticKey: [UInt8], ephemeralKey: [UInt8])? {
    guard let ledger = ledgers[other], let record = ledger.record, let boot = ledger.recordBoot else { return nil }
    return (boot, record.staticKey, record.ephemeralKey)
  }

  /// The host's newest public key of the data path (X25519, 32 bytes), with the boot and the number of its epoch; nil if
  /// it told none.
  package func epochKey(of other: HostID) -> (boot: Boot, number: UInt64, key: [UInt8])? {
    guard let ledger = ledgers[other], let record = ledger.record, let boot = ledger.recordBoot,
      let key = record.epochKey
    else { return nil }
    return (boot, record.epoch, key)
  }

  /// The smallest underlay MTU of this host and the visible ones; nil if none has told.
  package var smallestUnderlayMTU: UInt32? {
    hosts.filter { $0.standing == .member && !$0.isHidden }.compactMap { $0.record?.underlayMTU }.filter { $0 > 0 }
      .min()
  }

  // MARK: Bindings

  package func binding(_ network: NetworkID, _ mac: MACAddress) -> Binding? {
    index.owner(at: BindingKey(network: network, mac: mac))
  }

  /// The owners of a network's MACs, for the data path.
  package func owners(of network: NetworkID) -> [MACAddress: Binding] { index.owners(of: network) }

  /// The other hosts to which broadcasts of the network go, in the order of their IDs.
  package func floodList(_ network: NetworkID) -> [HostID] {
    statuses.floodList(of: network, except: host, hidden: index.hidden)
  }

  /// Whether a VIF of this host is in the network's bridge.
  package func hasVIF(_ network: NetworkID) -> Bool { local.hasVIF(in: network) }

  /// The ports on which MACs of the network are live here.
  package func localPorts(of network: NetworkID) -> [MACAddress: String] {
    var ports: [MACAddress: String] = [:]
    for (key, mac) in local.macs where key.network == network { ports[key.mac] = mac.toldPort }
    return ports
  }

  /// The port on which the MAC is live here; nil if it is not.
  package func localPort(_ network: NetworkID, _ mac: MACAddress) -> String? {
    local.macs[BindingKey(network: network, mac: mac)]?.toldPort
  }

  /// The VIFs here that have the MAC, live or not, in the order of their names.
  package func vifs(of network: NetworkID, having mac: MACAddress) -> [String] {
    local.macs[BindingKey(network: network, mac: mac)]?.sortedVIFs ?? []
  }

  /// Whether the VIF has a MAC, and each of them is live on it.
  package func isAllLive(vif name: String) -> Bool {
    guard let vif = local.vifs[name], !vif.macs.isEmpty else { return false }
    return vif.macs.allSatisfy { localPort(vif.network, $0) == name }
  }

  /// How many frames, addresses and claims exceeded a VIF's limits.
  package var excess: [(vif: String, count: UInt64)] {
    local.vifs.sorted { $0.key < $1.key }.filter { $0.value.excess > 0 }.map { ($0.key, $0.value.excess) }
  }

  /// Of all networks, sorted by network and MAC.
  package var bindings: [BindingView] { index.networkIDs.flatMap { bindings(of: $0) } }

  /// One line per MAC that has an owner; of a MAC that has none, one line per host on which it is present.
  package func bindings(of network: NetworkID) -> [BindingView] {
    index.macs(of: network).flatMap { views(at: BindingKey(network: network, mac: $0)) }
  }

  private func views(at key: BindingKey) -> [BindingView] {
    let claims = index.claims(at: key).filter { $0.claim.state != .withdrawn }
    let parties = claims.count + claims.reduce(0) { $0 + $1.claim.others.count }
    let isDuplicate = parties > 1 && claims.contains { $0.claim.isContested || $0.claim.state == .damped }
    let isDamped = claims.contains { $0.claim.state == .damped }
    let owner = index.owner(at: key)?.host
    return claims.filter { owner == nil || $0.host == owner }.map { entry in
      var rivals = entry.claim.others.map { other in
        BindingView.Rival(
          host: entry.host, vif: other.vif, vm: other.vm, sequence: entry.claim.sequence, isTransmitting: true)
      }
      rivals += claims.filter { $0.host != entry.host }.map { rival in
        BindingView.Rival(
          host: rival.host, vif: rival.claim.vif, vm: rival.claim.vm, sequence: rival.claim.sequence,
          isTransmitting: rival.claim.contends || rival.claim.isContested)
      }
      return BindingView(
        network: key.network, mac: key.mac, host: entry.host, state: owner == nil ? .present : .live,
        sequence: entry.claim.sequence, ips: entry.claim.ips, vif: entry.claim.vif, vm: entry.claim.vm,
        isBackedByXen: entry.claim.isBackedByXen, isDuplicate: isDuplicate,
        isHidden: index.hidden.contains(entry.host), isDamped: isDamped, rivals: rivals)
    }
  }
}
