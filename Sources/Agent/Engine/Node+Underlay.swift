import Kernel
import Registry
import Wire

// Where this host's tunnels end, and where those of the others do.
extension Node {
  /// Looks whether the underlay is another one now, and takes it up. Called on every event that may concern it, and with
  /// each look at everything.
  func underlayMayHaveChanged(_ now: Instant) {
    let before = around.kernel.underlay.address
    guard let change = around.followUnderlay() else { return }
    switch change {
    case .gone: return
    case .address(let new): underlayAddressChanged(from: before, to: new.address, now: now)
    case .back: greetTheSilent(now)
    case .mtu, .other: break
    }
    perform(registry.setHostRecord(hostRecord, now: now), now: now)
    for network in registry.networks { staleNetworks.insert(network.id) }
  }

  /// This host has another underlay address, and its gossip socket is bound to it. The turn that this is part of tells it
  /// in the host record to every live host, and turns the tunnels.
  func underlayAddressChanged(from old: VTEP, to new: VTEP, now: Instant) {
    watchSocket()
    moveKeys(to: new, now: now)
    greetTheSilent(now)
  }

  /// Hosts that are not alive get no statements, and could not answer at this host's old address.
  private func greetTheSilent(_ now: Instant) {
    for member in membership.members where member.state != .alive {
      if let endpoint = endpoint(of: member.host) { sendHello(to: endpoint, wantsReply: true, now: now) }
    }
  }

  // MARK: The other family

  /// Whether the host's underlay is IPv6 where this host's is IPv4, or the other way round: neither gossip nor tunnels go
  /// between the two.
  func isOfOtherFamily(_ host: HostID) -> Bool {
    guard host != identity.hostID, let address = endpoint(of: host)?.address else { return false }
    return address.isV6 != around.kernel.underlay.address.isV6
  }

  private var membersOfOtherFamily: [HostID] {
    registry.hosts.filter { $0.standing == .member && isOfOtherFamily($0.id) }.map(\.id)
  }

  /// Names the members that this host cannot reach because their underlay is of the other family; nil if there are none.
  var otherFamilyProblem: String? {
    let hosts = membersOfOtherFamily.map { host in
      "\(name(of: host))\(endpoint(of: host).map { " (\($0.address))" } ?? "")"
    }
    guard !hosts.isEmpty else { return nil }
    let (own, other) = around.kernel.underlay.address.isV6 ? ("IPv6", "IPv4") : ("IPv4", "IPv6")
    return
      "The underlay of this host is \(own) and that of \(hosts.sorted().joined(separator: ", ")) is \(other), so neither gossip nor tunnels go between them: start weftd with an address of the same kind in --underlay on all hosts of the pool."
  }

  /// Tells of each such host once a run.
  func tellOfOtherFamily() {
    let hosts = Set(membersOfOtherFamily)
    guard !hosts.isSubset(of: toldOfOtherFamily), let problem = otherFamilyProblem else { return }
    toldOfOtherFamily.formUnion(hosts)
    around.tell(Event(kind: "underlayMismatch", message: problem))
  }

  // MARK: Limits

  /// Whether a member is known to be at this address.
  func isMemberAddress(_ address: IPAddress) -> Bool { memberAddresses.contains(address) }
}
