import Wire

/// What each host says of each network: flood lists and problems.
struct StatusIndex: Sendable {
  private var networks: [NetworkID: [HostID: NetworkStatus]] = [:]

  mutating func set(_ status: NetworkStatus?, of host: HostID, network: NetworkID) {
    networks[network, default: [:]][host] = status
    if networks[network]?.isEmpty == true { networks[network] = nil }
  }

  func status(of host: HostID, network: NetworkID) -> NetworkStatus? { networks[network]?[host] }

  /// In the order of host IDs.
  func statuses(of network: NetworkID) -> [(host: HostID, status: NetworkStatus)] {
    (networks[network] ?? [:]).sorted { $0.key < $1.key }.map { ($0.key, $0.value) }
  }

  func floodList(of network: NetworkID, except own: HostID, hidden: Set<HostID>) -> [HostID] {
    (networks[network] ?? [:]).filter { $0.value.takesFlood && $0.key != own && !hidden.contains($0.key) }.keys.sorted()
  }
}
