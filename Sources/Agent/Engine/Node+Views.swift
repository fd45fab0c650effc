import Control
import Membership
import Registry
import Wire

// What the API shows of the pool.
extension Node {
  func view(of host: HostView) -> API.Host {
    let isSelf = host.id == identity.hostID
    let member = membership.view(of: host.id)
    let state: API.HostState =
      switch host.standing {
      case .left: .left
      case .evicted: .evicted
      case .member: isSelf ? .alive : API.HostState(member?.state ?? .dead)
      }
    let record = isSelf ? hostRecord : host.record
    var names: [String] = []
    for network in registry.networks where isSelf ? hasVIF(network.id) : takesFlood(host.id, network.id) {
      names.append(network.name.text)
    }
    return API.Host(
      id: host.id.description, name: name(of: host.id), state: state,
      address: (record?.vteps.first ?? lastAddresses[host.id]?.address)?.description,
      incarnation: isSelf ? membership.incarnation : member?.incarnation ?? 0, isSelf: isSelf,
      boot: (isSelf ? boot : host.boot)?.description, version: isSelf ? registry.ownVersion : host.version,
      release: record?.release, mtu: record.map { Int($0.underlayMTU) },
      capabilities: (record?.capabilities ?? []).names, epoch: record?.epoch ?? 0, networks: names.sorted(),
      problems: problems(of: host.id))
  }

  private func takesFlood(_ host: HostID, _ network: NetworkID) -> Bool { registry.floodList(network).contains(host) }

  private func problems(of host: HostID) -> [String] {
    registry.networks.flatMap { network in network.problems.filter { $0.host == host }.map(\.reason) }
  }

  /// By ID, or by a name that only one host has.
  func findHost(_ reference: String) throws -> HostView {
    if let id = HostID(reference), let view = registry.hostView(id) { return view }
    let named = registry.hosts.filter { name(of: $0.id) == reference }
    let members = named.filter { $0.standing == .member }
    let fitting = members.isEmpty ? named : members
    guard let first = fitting.first else {
      throw APIError(
        .notFound, "There is no host '\(reference.prefix(80))' in this pool: `weft host list` shows those there are.")
    }
    guard fitting.count == 1 else {
      throw APIError(
        .conflict,
        "Several hosts are named \(reference): say which one by its ID (\(fitting.map(\.id.description).joined(separator: ", ")))."
      )
    }
    return first
  }

  /// The member in force that has this name.
  func holder(of name: HostName, besides joiner: HostID) -> HostID? {
    if name == around.name { return identity.hostID }
    let holder = registry.hosts.first { view in
      guard view.standing == .member, view.id != joiner, view.record?.name == name else { return false }
      return membership.state(of: view.id)?.isInForce ?? false
    }
    return holder?.id
  }

  func view(of network: NetworkView) -> API.Network {
    var conflictsWith: String?
    let state: API.NetworkState
    switch network.state {
    case .ok: state = .ok
    case .degraded: state = .degraded
    case .conflict(let other):
      state = .conflict
      conflictsWith = other.description
    }
    return API.Network(
      id: network.id.description, name: network.name.text, vni: network.vni.value, bridge: network.bridge.text,
      encap: network.encapsulation == .gre ? .gre : .vxlan,
      encryption: network.encryption == .off ? .off : .required, mtu: Int(network.mtu.value),
      underlayNeeded: network.mtu.underlayNeeded(
        encapsulation: network.encapsulation, encryption: network.encryption,
        isV6: around.kernel.underlay.address.isV6),
      mechanism: around.kernel.mechanism(network.encapsulation, network.encryption)?.description, state: state,
      hosts: network.standing.map { name(of: $0) }.sorted(),
      problems: network.problems.map { API.Problem(host: name(of: $0.host), message: $0.reason) }
        .sorted { $0.host < $1.host },
      bindings: registry.bindings(of: network.id).count, conflictsWith: conflictsWith)
  }

  func view(of binding: BindingView) -> API.Binding {
    API.Binding(
      mac: binding.mac.description, network: name(of: binding.network), networkId: binding.network.description,
      host: name(of: binding.host), hostId: binding.host.description,
      state: binding.state == .live ? .live : .present,
      sequence: binding.state == .live ? binding.sequence.value : nil,
      ips: binding.ips.sorted().map(\.description), vif: binding.vif.isEmpty ? nil : binding.vif,
      vm: binding.vm.isEmpty ? nil : binding.vm, duplicate: binding.isDuplicate,
      rivals: binding.rivals.map { rival in
        API.Rival(
          host: name(of: rival.host), sequence: rival.sequence.value, vif: rival.vif.isEmpty ? nil : rival.vif,
          vm: rival.vm.isEmpty ? nil : rival.vm)
      }, hidden: binding.isHidden, damped: binding.isDamped)
  }

  func status() -> API.PoolStatus {
    let hosts = registry.hosts.filter { $0.standing == .member }.map { view(of: $0) }
    func count(_ state: API.HostState) -> Int { hosts.filter { $0.state == state }.count }
    var problems = registry.networks.flatMap { network in
      network.problems.map { problem in
        let how = network.standing.contains(problem.host) ? "is not as it should be" : "does not stand"
        return "Network \(network.name) \(how) on \(name(of: problem.host)): \(problem.reason)"
      }
    }
    for network in registry.networks {
      if case .conflict(let other) = network.state {
        problems.append(
          "Network \(network.name) is in conflict with network \(name(of: other)) and carries no traffic.")
      }
    }
    for host in hosts {
      switch host.state {
      case .agentDown:
        let fate = HostID(host.id).map { fateOfTraffic($0) } ?? "its traffic goes on"
        problems.append("The agent of host \(host.name) is silent: start weftd there; \(fate).")
      case .dead: problems.append("Host \(host.name) is dead: start it again, or evict it if it is gone for good.")
      case .alive, .suspect, .left, .evicted: break
      }
    }
    if trust.revoked.contains(identity.hostID) {
      problems.append("This host was evicted from the pool: run `weft pool leave` here, then join again with a token.")
    }
    if let otherFamilyProblem { problems.append(otherFamilyProblem) }
    if let refusal { problems.append(refusal) }
    if !isSynced { problems.append("This host has just started and has not synced with the pool yet.") }
    return API.PoolStatus(
      joined: true, pool: trust.poolName, poolId: trust.pool.description, host: around.name.text,
      hostId: identity.hostID.description, address: around.kernel.underlay.address.description,
      release: Agent.release,
      hosts: API.HostCounts(
        alive: count(.alive), suspect: count(.suspect), agentDown: count(.agentDown), dead: count(.dead)),
      networks: registry.networks.count, bindings: registry.bindings.count,
      epochs: hosts.filter { $0.epoch > 0 }.map { API.KeyEpoch(host: $0.name, epoch: $0.epoch) }
        .sorted { $0.host < $1.host }, keys: keyCounts,
      problems: problems)
  }
}

extension API.HostState {
  fileprivate init(_ state: MemberState) {
    switch state {
    case .alive: self = .alive
    case .suspect: self = .suspect
    case .agentDown: self = .agentDown
    case .dead: self = .dead
    case .left: self = .left
    }
  }
}

extension HostCapabilities {
  fileprivate var names: [String] {
    let all: [(HostCapabilities, String)] = [
      (.espInUDP, "espInUDP"), (.kernelESP, "kernelESP"), (.kernelGRE, "kernelGRE"), (.kernelVXLAN, "kernelVXLAN"),
      (.userSpace, "userSpace"),
    ]
    return all.filter { contains($0.0) }.map(\.1)
  }
}
