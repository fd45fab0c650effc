import Wire

/// The life of the VIFs here: which MACs are present, which are live, and what this host claims of them.
///
/// Inputs say what happened; what follows from it is left in `outcomes` for the registry to tell on.
struct LocalClaims: Sendable {
  enum Outcome: Sendable {
    case claim(BindingKey, Claim?)
    case port(BindingKey, String?)
    /// A VIF came to or left the network.
    case occupancy(NetworkID)
    case event(RegistryEvent)
  }

  let host: HostID
  let configuration: Registry.Configuration
  var vifs: [String: LocalVIF] = [:]
  var macs: [BindingKey: LocalMAC] = [:]
  var isSynced = false
  var outcomes: [Outcome] = []
  /// The claims of this host's earlier boot.
  var seeds: [BindingKey: Claim] = [:]

  init(host: HostID, configuration: Registry.Configuration) {
    self.host = host
    self.configuration = configuration
  }

  func hasVIF(in network: NetworkID) -> Bool { vifs.values.contains { $0.network == network } }

  func knows(_ key: BindingKey) -> Bool { macs[key] != nil }

  // MARK: Inputs from the shell

  mutating func attach(
    vif name: String, network: NetworkID, isNetback: Bool, mac: MACAddress?, vm: String?, index: BindingIndex,
    now: Instant
  ) {
    if let known = vifs[name], known.network != network { detach(vif: name, index: index, now: now) }
    let station = mac.flatMap { $0.isStation ? $0 : nil }
    if var vif = vifs[name] {
      vif.isNetback = isNetback
      if let station { vif.declaredMAC = station }
      if let vm { vif.vm = vm }
      vifs[name] = vif
    } else {
      vifs[name] = LocalVIF(
        network: network, isNetback: isNetback, mac: station, vm: vm ?? "", tokens: configuration.claimsPerSecond,
        now: now)
      outcomes.append(.occupancy(network))
    }
    if let station {
      associate(station, with: name, network)
      if vifs[name]?.roseUnnamed == true {
        vifs[name]?.roseUnnamed = false
        let key = BindingKey(network: network, mac: station)
        becomeLive(key, at: name, isFrame: false, index: index, now: now)
      }
    }
    for mac in vifs[name]?.macs ?? [] { tell(BindingKey(network: network, mac: mac), now: now) }
  }

  mutating func carrier(vif name: String, isUp: Bool, isChange: Bool, index: BindingIndex, now: Instant) {
    guard let vif = vifs[name] else { return }
    vifs[name]?.carrier = isUp
    if !isUp, vif.carrier != false { vifs[name]?.fellAt = now }
    guard vif.isNetback else { return }
    if !isUp { vifs[name]?.roseUnnamed = false } else if isChange { vifs[name]?.roseUnnamed = vif.declaredMAC == nil }
    for mac in vif.macs {
      let key = BindingKey(network: vif.network, mac: mac)
      if !isUp {
        leavePort(key, name, now: now)
      } else if isChange {
        becomeLive(key, at: name, isFrame: false, index: index, now: now)
      }
    }
  }

  mutating func frame(vif name: String, mac: MACAddress, ips: [IPAddress], index: BindingIndex, now: Instant) {
    guard mac.isStation, let vif = vifs[name], !vif.isLate(now) else { return }
    let key = BindingKey(network: vif.network, mac: mac)
    if !vif.macs.contains(mac) {
      guard vif.declaredMAC == mac || vif.macs.count < configuration.macsPerVIF else {
        exceed(.macsPerVIF, key, name, now: now)
        return
      }
      associate(mac, with: name, vif.network)
    }
    // A guest that transmits is connected, whatever was told of the carrier.
    if vif.isNetback { vifs[name]?.carrier = true }
    macs[key]?.vifs[name] = .some(now)
    for address in ips where address.isUnicast {
      let isNoted = macs[key]?.note(
        address, limit: configuration.ipsPerMAC, silence: configuration.silence, now: now)
      if isNoted == false { exceed(.ipsPerMAC, key, name, now: now) }
    }
    if isSynced, let local = macs[key], local.state != .damped, !(local.state == .live && local.port == name) {
      let mayClaim = vifs[name]?.takeToken(limit: configuration.claimsPerSecond, now: now) ?? false
      guard mayClaim else {
        exceed(.claimsPerSecond, key, name, now: now)
        return
      }
    }
    becomeLive(key, at: name, isFrame: true, index: index, now: now)
    tell(key, now: now)
  }

  mutating func detach(vif name: String, index: BindingIndex, now: Instant) {
    guard let vif = vifs[name] else { return }
    for mac in vif.macs { dissociate(BindingKey(network: vif.network, mac: mac), from: name, now: now) }
    vifs[name] = nil
    outcomes.append(.occupancy(vif.network))
  }

  private mutating func exceed(_ limit: LocalLimit, _ key: BindingKey, _ name: String, now: Instant) {
    if vifs[name]?.noteExcess(now: now) == true {
      outcomes.append(.event(.limited(key.network, key.mac, vif: name, limit)))
    }
  }

  // MARK: Which MAC is behind which VIF

  mutating func associate(_ mac: MACAddress, with name: String, _ network: NetworkID) {
    guard vifs[name]?.macs.contains(mac) == false else { return }
    vifs[name]?.macs.append(mac)
    let key = BindingKey(network: network, mac: mac)
    var local = macs[key] ?? LocalMAC()
    if local.vifs[name] == nil { local.vifs[name] = .some(nil) }
    if local.state == .withdrawn {
      local.state = .present
      local.withdrawnSince = nil
      local.hasGivenUp = false
    }
    macs[key] = local
  }

  mutating func dissociate(_ key: BindingKey, from name: String, now: Instant) {
    vifs[name]?.macs.removeAll { $0 == key.mac }
    macs[key]?.vifs[name] = nil
    if macs[key]?.evidence == name { macs[key]?.evidence = nil }
    leavePort(key, name, now: now)
    guard let local = macs[key], local.vifs.isEmpty else { return }
    withdraw(key, now: now)
  }

  /// The guest is not behind this VIF any more. If another VIF here has the MAC, the guest moves within the host and the
  /// claim stays; if none has, nobody runs here.
  private mutating func leavePort(_ key: BindingKey, _ name: String, now: Instant) {
    guard var local = macs[key] else { return }
    if local.evidence == name { local.evidence = nil }
    let others = local.sortedVIFs.filter { $0 != name }
    let connected = others.filter { vifs[$0]?.isConnected == true }
    if local.state == .live, local.port == name || local.port == nil {
      if local.port == name || !others.contains(where: { $0 == local.port }) {
        local.port = bestPort(among: connected, of: local)
      }
      if others.isEmpty {
        local.state = .present
        local.hasGivenUp = false
        local.moves = []
        local.contestedUntil = nil
        outcomes.append(.event(.withdrawn(key.network, key.mac, local.sequence)))
      }
    } else if connected.isEmpty, local.state == .present || local.state == .damped {
      local.state = .present
      local.hasGivenUp = false
      local.dampedSince = nil
      local.contestedUntil = nil
    }
    macs[key] = local
    tell(key, now: now)
  }

  private func bestPort(among names: [String], of local: LocalMAC) -> String? {
    names.max { left, right in
      let (a, b) = (vifs[left]?.isNetback == true, vifs[right]?.isNetback == true)
      if a != b { return !a }
      let (seenA, seenB) = ((local.vifs[left] ?? nil)?.nanoseconds ?? 0, (local.vifs[right] ?? nil)?.nanoseconds ?? 0)
      return seenA != seenB ? seenA < seenB : left > right
    }
  }

  private mutating func withdraw(_ key: BindingKey, now: Instant) {
    guard var local = macs[key] else { return }
    if local.told == nil, local.sequence.value == 0 {
      macs[key] = nil
      return
    }
    local.state = .withdrawn
    local.withdrawnSince = now
    local.port = nil
    local.ips = []
    local.hasGivenUp = false
    local.contestedUntil = nil
    local.dampedSince = nil
    local.moves = []
    macs[key] = local
    tell(key, now: now)
  }

  // MARK: Telling

  /// Whether the hypervisor says that a VIF here has this MAC.
  func isBackedByXen(_ key: BindingKey, _ local: LocalMAC) -> Bool {
    if let port = local.port { return vifs[port]?.declaredMAC == key.mac }
    return local.vifs.keys.contains { vifs[$0]?.declaredMAC == key.mac }
  }

  /// Puts the claim and the port of a MAC into `outcomes` if they are not those last told.
  mutating func tell(_ key: BindingKey, now: Instant) {
    guard isSynced, var local = macs[key] else { return }
    let name = local.port ?? local.sortedVIFs.first { vifs[$0]?.isConnected == true } ?? local.sortedVIFs.first ?? ""
    let others = local.localMoves.isEmpty && local.localRival == nil ? [] : local.sortedVIFs.filter { $0 != name }
    let isContested = local.contestedUntil != nil
    let claim = Claim(
      state: local.state, sequence: local.sequence, ips: local.ips.map(\.address).sorted(), vif: name,
      vm: vifs[name]?.vm ?? "", isBackedByXen: isBackedByXen(key, local), isContested: isContested,
      others: isContested ? others.map { Claim.OtherVIF(vif: $0, vm: vifs[$0]?.vm ?? "") } : [])
    if local.told != claim {
      local.told = claim
      outcomes.append(.claim(key, claim))
    }
    let port = local.state == .live ? local.port : nil
    if local.toldPort != port {
      local.toldPort = port
      outcomes.append(.port(key, port))
    }
    macs[key] = local
  }
}
