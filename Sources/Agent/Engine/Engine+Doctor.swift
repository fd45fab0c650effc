import Control
import Kernel
import Membership
import Registry
import Wire

// What this host and its paths can and cannot do, found by trying.
extension Engine {
  package func doctor() async throws -> API.DoctorReport {
    var checks = kernelChecks() + packetPathChecks() + lockChecks() + underlayChecks()
    if let node {
      checks += [poolCheck(node)] + networkChecks(node) + keyChecks(node)
      checks += await pathChecks(node)
    } else {
      checks.append(
        API.Check(
          name: "pool", status: .warning,
          message: "This host is in no pool: run `weft pool init` here, or `weft pool join` with a token."))
    }
    checks.append(
      API.Check(
        name: "clock", status: .ok, message: "Nothing in Weft depends on the time of day of this or any other host."))
    return API.DoctorReport(host: name.text, checks: checks)
  }

  private func kernelChecks() -> [API.Check] {
    guard let abilities = kernel.kernelAbilities else {
      return [
        API.Check(
          name: "kernel", status: .ok,
          message: "What the kernel can do is tried in a moment; encrypted networks do not wait for it."),
        netfilterCheck(),
      ]
    }
    let isV6 = kernel.underlay.address.isV6
    func check(_ name: String, _ error: KernelError?, good: String, bad: String, _ status: API.CheckStatus) -> API.Check
    {
      if let error { return API.Check(name: name, status: status, message: "\(bad) \(error)") }
      return API.Check(name: name, status: .ok, message: good)
    }
    var checks = [
      check(
        "kernel VXLAN", abilities.vxlan, good: "The kernel makes VXLAN devices.",
        bad: "Networks by VXLAN do not stand on this host.", .failure),
      check(
        "kernel GRE", isV6 ? abilities.ip6gretap : abilities.gretap, good: "The kernel makes gretap devices.",
        bad: kernel.choice.path == .user
          ? "The kernel makes no gretap devices; only networks by GRE in clear need them."
          : "The kernel makes no gretap devices; networks by VXLAN are not affected.", .warning),
      check(
        "bridge input filter", abilities.inputFilter, good: "What guests send to the host itself is dropped.",
        bad: "Only the settings of the bridges keep guests from the host.", .warning),
    ]
    if kernel.choice.path != .user {
      checks.append(
        check(
          "kernel ESP", abilities.protection(isV6: isV6).esp, good: "The kernel has ESP with AES-256-GCM.",
          bad: "The kernel cannot encrypt; networks with --encryption off are not affected.", .warning))
    }
    checks.append(netfilterCheck())
    return checks
  }

  private func netfilterCheck() -> API.Check {
    let name = "bridge netfilter"
    guard BridgeNetfilter.current().isActive else {
      return API.Check(name: name, status: .ok, message: "Bridged frames do not pass this host's firewall.")
    }
    if let failure = node?.netfilterFailure {
      return API.Check(
        name: name, status: .failure,
        message:
          "br_netfilter sends bridged frames through this host's firewall, and they could not be exempted. \(failure)")
    }
    return API.Check(
      name: name, status: .ok,
      message:
        "br_netfilter sends bridged frames through this host's firewall; Weft's bridges are exempted in the table '\(BridgeNetfilter.table)'."
    )
  }

  private func underlayChecks() -> [API.Check] {
    let underlay = kernel.underlay
    func check(_ status: API.CheckStatus, _ message: String) -> API.Check {
      API.Check(name: "underlay", status: status, message: message)
    }
    let now: Underlay
    do {
      switch try kernel.network.findUnderlay(settings.underlay, keeping: underlay.address) {
      case .ready(let found): now = found
      case .pending(let sentence): return [check(.warning, sentence)]
      }
    } catch {
      return [check(.failure, kernel.isUnderlayFixed ? "\(error) \(KernelSide.adviceOnFixed)" : "\(error)")]
    }
    guard now.isUp else { return [check(.failure, "The underlay interface \(now.name) is down: bring it up.")] }
    guard now.address == underlay.address else {
      return [
        check(
          .failure,
          "The underlay address is \(now.address) now, and weftd still listens on \(underlay.address): \(listenFailure ?? "it follows in a moment.")"
        )
      ]
    }
    if let failure = listening.failure { return [check(.failure, "No host can join or sync here. \(failure)")] }
    return [check(.ok, "Tunnels end at \(underlay.address) on \(underlay.name), MTU \(underlay.mtu).")]
      + (node?.otherFamilyProblem.map { [API.Check(name: "underlay family", status: .failure, message: $0)] } ?? [])
  }

  private func poolCheck(_ node: Node) -> API.Check {
    if node.trust.revoked.contains(identity.hostID) {
      return API.Check(
        name: "pool", status: .failure,
        message: "This host was evicted: run `weft pool leave` here, then join again with a token.")
    }
    if node.trust.currentCA == nil {
      return API.Check(
        name: "pool", status: .failure,
        message:
          "Two evictions at once left the pool without a CA, so nobody can join: evict any host that is gone for good, which makes a new one."
      )
    }
    if node.ca == nil {
      return API.Check(
        name: "pool", status: .warning,
        message:
          "The pool has a new CA whose key has not come yet, so this host admits nobody: it comes when another host is reachable."
      )
    }
    let counts = node.status().hosts
    let message =
      "Pool \(node.trust.poolName): \(counts.alive) alive, \(counts.suspect) suspect, \(counts.agentDown) with a silent agent, \(counts.dead) dead."
    return API.Check(name: "pool", status: counts.dead + counts.agentDown > 0 ? .warning : .ok, message: message)
  }

  private func networkChecks(_ node: Node) -> [API.Check] {
    node.registry.networks.flatMap { network -> [API.Check] in
      let view = node.view(of: network)
      if view.state == .ok {
        return [
          API.Check(
            name: "network \(network.name)", status: .ok,
            message: "It stands on \(view.hosts.count) hosts with MTU \(network.mtu).")
        ]
      }
      if view.problems.isEmpty {
        return [
          API.Check(
            name: "network \(network.name)", status: .failure,
            message: "It is in conflict with network \(view.conflictsWith ?? "?"): delete one of them.")
        ]
      }
      return view.problems.map {
        API.Check(name: "network \(network.name)", status: .failure, message: "On \($0.host): \($0.message)")
      }
    }
  }

  // MARK: Paths

  private struct Path: Sendable {
    var host: HostID
    var name: String
    var endpoint: Endpoint
    var state: MemberState
  }

  private func pathChecks(_ node: Node) async -> [API.Check] {
    let paths = node.membership.members.filter { !node.isOfOtherFamily($0.host) }.compactMap { member in
      node.endpoint(of: member.host).map {
        Path(host: member.host, name: node.name(of: member.host), endpoint: $0, state: member.state)
      }
    }
    let credentials = credentials.current
    let local = endpoint.address
    var outcomes: [HostID: Membership.TCPProbeOutcome] = [:]
    await withTaskGroup(of: (HostID, Membership.TCPProbeOutcome).self) { group in
      for path in paths {
        group.addTask {
          let outcome = await TCPProbe.probe(
            path.endpoint, host: path.host, from: local, credentials: credentials, timeout: .seconds(2))
          return (path.host, outcome)
        }
      }
      for await (host, outcome) in group { outcomes[host] = outcome }
    }
    return paths.flatMap { path -> [API.Check] in
      [udpCheck(path), tcpCheck(path, outcomes[path.host] ?? .silent), mtuCheck(path)]
    }
  }

  private func udpCheck(_ path: Path) -> API.Check {
    let name = "UDP to \(path.name)"
    switch path.state {
    case .alive: return API.Check(name: name, status: .ok, message: "Gossip goes both ways with \(path.endpoint).")
    case .suspect:
      return API.Check(
        name: name, status: .warning,
        message: "\(path.endpoint) has missed probes: look at the load and the network between the hosts.")
    case .agentDown, .dead, .left:
      return API.Check(
        name: name, status: .failure,
        message:
          "No gossip from \(path.endpoint): check that weftd runs there and that UDP port \(path.endpoint.port) is open both ways."
      )
    }
  }

  private func tcpCheck(_ path: Path, _ outcome: Membership.TCPProbeOutcome) -> API.Check {
    let name = "TCP to \(path.name)"
    switch outcome {
    case .agent: return API.Check(name: name, status: .ok, message: "The agent at \(path.endpoint) answers by TLS.")
    case .kernel:
      return API.Check(
        name: name, status: .failure,
        message: "The host at \(path.endpoint) answers but its agent does not: start weftd there.")
    case .silent:
      return API.Check(
        name: name, status: .failure,
        message:
          "Nothing answers at \(path.endpoint): check that the host is up and that TCP port \(path.endpoint.port) is open."
      )
    }
  }

  private func mtuCheck(_ path: Path) -> API.Check {
    let name = "MTU to \(path.name)"
    guard let node, let mtu = try? kernel.network.routeMTU(to: path.endpoint.address) else {
      return API.Check(
        name: name, status: .failure, message: "There is no route to \(path.endpoint.address): add one.")
    }
    let needed = node.registry.networks.map { network in
      network.mtu.underlayNeeded(
        encapsulation: network.encapsulation, encryption: network.encryption, isV6: path.endpoint.address.isV6)
    }.max()
    guard let needed, mtu < needed else {
      return API.Check(name: name, status: .ok, message: "The route to \(path.endpoint.address) carries \(mtu) bytes.")
    }
    return API.Check(
      name: name, status: .failure,
      message:
        "The route to \(path.endpoint.address) carries \(mtu) bytes but the networks need \(needed): raise the MTU on the way, or lower that of the networks."
    )
  }
}
