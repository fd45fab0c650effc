import Wire

/// A MAC of a network.
struct BindingKey: Hashable, Comparable, Sendable {
  var network: NetworkID
  var mac: MACAddress

  static func < (left: Self, right: Self) -> Bool {
    left.network != right.network ? left.network < right.network : left.mac < right.mac
  }
}

/// A claim in the contest for a MAC.
struct Contender: Sendable {
  var host: HostID
  var isVisible: Bool
  var isBackedByXen: Bool
  var sequence: MobilitySequence

  /// Visible before hidden, backed by Xen before learned from frames, then the higher sequence, then the lower host ID
  /// (RFC 7432 section 7.7). A total order over the claims on one MAC, so that all hosts choose the same owner.
  func beats(_ other: Contender) -> Bool {
    if isVisible != other.isVisible { return isVisible }
    if isBackedByXen != other.isBackedByXen { return isBackedByXen }
    if sequence != other.sequence { return sequence > other.sequence }
    return host < other.host
  }
}

/// All claims by network and MAC, and who owns what by them.
struct BindingIndex: Sendable {
  struct HostClaim: Hashable, Sendable {
    var host: HostID
    var claim: Claim
  }

  /// Claims by MAC, in the order of host IDs.
  private var networks: [NetworkID: [MACAddress: [HostClaim]]] = [:]
  private(set) var hidden: Set<HostID> = []

  /// Says or, with nil, drops a host's claim.
  mutating func set(_ claim: Claim?, of host: HostID, at key: BindingKey) {
    var claims = networks[key.network]?[key.mac] ?? []
    let index = claims.firstIndex { $0.host >= host } ?? claims.endIndex
    let isThere = index < claims.endIndex && claims[index].host == host
    if let claim {
      if isThere { claims[index].claim = claim } else { claims.insert(HostClaim(host: host, claim: claim), at: index) }
    } else if isThere {
      claims.remove(at: index)
    }
    networks[key.network, default: [:]][key.mac] = claims.isEmpty ? nil : claims
    if networks[key.network]?.isEmpty == true { networks[key.network] = nil }
  }

  mutating func setHidden(_ isHidden: Bool, _ host: HostID) {
    if isHidden { hidden.insert(host) } else { hidden.remove(host) }
  }

  func claims(at key: BindingKey) -> [HostClaim] { networks[key.network]?[key.mac] ?? [] }

  func claim(of host: HostID, at key: BindingKey) -> Claim? { claims(at: key).first { $0.host == host }?.claim }

  var networkIDs: [NetworkID] { networks.keys.sorted() }

  func macs(of network: NetworkID) -> [MACAddress] { networks[network]?.keys.sorted() ?? [] }

  func owner(at key: BindingKey) -> Binding? {
    best(at: key, excluding: nil).map { Binding(host: $0.host, sequence: $0.sequence, isHidden: !$0.isVisible) }
  }

  func owners(of network: NetworkID) -> [MACAddress: Binding] {
    (networks[network] ?? [:]).compactMapValues { claims in
      best(of: claims, excluding: nil).map { Binding(host: $0.host, sequence: $0.sequence, isHidden: !$0.isVisible) }
    }
  }

  func best(at key: BindingKey, excluding host: HostID?) -> Contender? {
    best(of: claims(at: key), excluding: host)
  }

  /// The highest sequence that anybody has said, in whatever state.
  func highest(at key: BindingKey) -> MobilitySequence {
    claims(at: key).reduce(MobilitySequence(0)) { max($0, $1.claim.sequence) }
  }

  private func best(of claims: [HostClaim], excluding host: HostID?) -> Contender? {
    var best: Contender?
    for entry in claims where entry.claim.contends && entry.host != host {
      let contender = Contender(
        host: entry.host, isVisible: !hidden.contains(entry.host), isBackedByXen: entry.claim.isBackedByXen,
        sequence: entry.claim.sequence)
      if best.map({ contender.beats($0) }) ?? true { best = contender }
    }
    return best
  }
}
