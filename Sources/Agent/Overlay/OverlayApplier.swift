import DataPath
import Kernel
import Overlay
import Registry
import Wire

/// Reads the kernel, and the packet path in user space, into an `OverlayState` and carries out plans. Synchronous, for
/// the engine's thread.
package final class OverlayApplier {
  private let kernel: KernelNetwork
  private let pool: String
  /// nil where the kernel carries all networks.
  private let userPath: UserPath?
  /// Numbers of devices by name, as last seen. A number that turns out to be old is looked up again.
  private var indices: [String: Int32] = [:]

  /// - Parameter pool: the pool's name in the alias of devices.
  package convenience init(kernel: KernelNetwork, pool: String) { self.init(kernel: kernel, pool: pool, userPath: nil) }

  init(kernel: KernelNetwork, pool: String, userPath: UserPath?) {
    self.kernel = kernel
    self.pool = pool
    self.userPath = userPath
  }

  /// What stands now. Devices that a killed agent left without their mark are known by the name and MAC that `wanted` has.
  package func observe(wanted: OverlayState) throws(KernelError) -> OverlayState {
    let links = try kernel.links()
    indices = Dictionary(links.map { ($0.name, $0.index) }, uniquingKeysWith: { first, _ in first })
    var observation = OverlayObservation(links: links, pool: pool, wanted: wanted, userPath: userPath)
    for link in observation.bridges where try !kernel.isIsolatedFromHost(link) {
      observation.setUnsound(bridge: link)
    }
    for link in observation.tunnels where !kernel.isClosedToAddresses(link) || kernel.hasQueueing(link) {
      observation.setUnsound(tunnel: link)
    }
    if !observation.tunnels.isEmpty || !observation.bridges.isEmpty {
      for entry in try kernel.forwardingEntries() { observation.add(entry) }
    }
    return observation.state
  }

  /// Brings the kernel from what stands to what is wanted; already as wanted, it changes nothing.
  package func reconcile(to wanted: OverlayState) throws(KernelError) -> OverlayOutcome {
    let plans = OverlayState.plan(from: try observe(wanted: wanted), to: wanted)
    return apply(plans)
  }

  /// Carries out plans in their order. A network whose bridge cannot be brought about is left at that step; the others
  /// go on, as do the other tunnels of one that lacks a tunnel.
  package func apply(_ plans: [NetworkPlan]) -> OverlayOutcome {
    var outcome = OverlayOutcome()
    for plan in plans {
      if let problem = plan.problem { outcome.problems[plan.network] = problem }
      let errors = apply(plan.changes)
      outcome.changeCount += plan.changes.count
      if !errors.isEmpty { outcome.errors[plan.network] = errors }
    }
    return outcome
  }

  /// Carries out changes in their order, entries many at a time.
  package func apply(_ changes: [Change]) -> [KernelError] { carryOut(changes).errors }

  /// As `apply`, and tells which changes stand now: one that neither failed nor stands came too late for its port.
  package func carryOut(_ changes: [Change]) -> (done: [Change], errors: [KernelError]) {
    var run = Run()
    for change in changes {
      // Without its tunnel a change has no aim; it comes again with the tunnel.
      if let tunnel = change.port, run.missing.contains(tunnel) { continue }
      do {
        switch try step(change) {
        case .entry(let entry): run.entries.append((entry, change))
        case .none: run.done.append(change)
        case .untaken: continue
        case .device:
          flush(&run)
          try applyDevice(change)
          run.done.append(change)
        }
      } catch {
        // A port that just left takes its entries along: the event of its leaving follows.
        if case .setPort = change, error.meansGone { continue }
        if error.meansGone, entryIsRemoval(change) {
          run.done.append(change)
          continue
        }
        flush(&run)
        run.errors.append(error)
        if case .ensureBridge = change { break }
        if case .ensureTunnel(let tunnel) = change { run.missing.insert(tunnel.name) }
      }
    }
    flush(&run)
    return (run.done, run.errors)
  }

  /// What became of changes so far, and the entries that wait to go out together.
  private struct Run {
    var entries: [(entry: FDBChange, change: Change)] = []
    var done: [Change] = []
    var errors: [KernelError] = []
    /// Tunnels that could not be brought about.
    var missing: Set<String> = []
  }

  /// The path of a MAC that moves: one message to the kernel.
  package func setRemote(_ mac: MACAddress, _ vtep: VTEP, tunnel: String) throws(KernelError) {
    do {
      try kernel.replaceRemote(mac, tunnel: try index(tunnel), vtep)
    } catch {
      guard error.meansGone else { throw error }
      indices[tunnel] = nil
      try kernel.replaceRemote(mac, tunnel: try index(tunnel), vtep)
    }
  }

  /// An interface is new, renamed or gone: its old number is not used again.
  package func forget(device name: String) { indices[name] = nil }

  private func index(_ name: String) throws(KernelError) -> Int32 {
    if let index = indices[name] { return index }
    guard let link = try kernel.link(named: name) else { throw .absent(name) }
    indices[name] = link.index
    return link.index
  }

  /// What the bridge sends into a TAP is to find its way there already.
  private func flush(_ run: inout Run) {
    userPath?.path.publish()
    guard !run.entries.isEmpty else { return }
    var failed: Set<Int> = []
    for failure in kernel.apply(run.entries.map(\.entry)) {
      failed.insert(failure.index)
      // The number of a device that went, or a port that left its bridge: what matters comes again by the next look.
      if failure.error.meansGone { indices.removeAll() }
      if case .setPort = run.entries[failure.index].entry { continue }
      run.errors.append(failure.error)
    }
    for (index, pair) in run.entries.enumerated() where !failed.contains(index) { run.done.append(pair.change) }
    run.entries.removeAll()
  }

  private enum Step {
    /// Goes to the kernel together with others.
    case entry(FDBChange)
    /// Of the kernel's nothing is to be done.
    case none
    /// The packet path does not carry the network now: the entry comes again once it does.
    case untaken
    case device
  }

  /// What a change asks of the kernel; the packet path is told its part.
  private func step(_ change: Change) throws(KernelError) -> Step {
    if let tunnel = change.tunnelToAll, let vni = OverlayNames.vni(ofTAP: tunnel), let path = userPath?.path {
      switch change {
      case .setRemote(let mac, let vtep, _):
        guard userPath?.carries(vni, by: tunnel) == true else { return .untaken }
        let port = try index(tunnel)
        path.setRemote(mac, vtep, in: vni)
        return .entry(.setPort(mac, port: port))
      case .addFlood(let vtep, _):
        guard userPath?.carries(vni, by: tunnel) == true else { return .untaken }
        path.addFlood(vtep, in: vni)
      case .removeFlood(let vtep, _): path.removeFlood(vtep, in: vni)
      case .removeTunnelEntry(let mac, _): path.removeRemote(mac, in: vni)
      default: break
      }
      return .none
    }
    return try entryChange(change).map { .entry($0) } ?? .device
  }

  /// nil for a change of a device.
  private func entryChange(_ change: Change) throws(KernelError) -> FDBChange? {
    switch change {
    case .setRemote(let mac, let vtep, let tunnel): .setRemote(mac, tunnel: try index(tunnel), vtep)
    case .setPort(let mac, let port): .setPort(mac, port: try index(port))
    case .addFlood(let vtep, let tunnel): .addFlood(tunnel: try index(tunnel), vtep)
    case .removeFlood(let vtep, let tunnel): .removeFlood(tunnel: try index(tunnel), vtep)
    case .startFlooding(_, let tunnel): .setFlooding(port: try index(tunnel), true)
    case .stopFlooding(_, let tunnel): .setFlooding(port: try index(tunnel), false)
    case .removeTunnelEntry(let mac, let tunnel): .removeTunnelEntry(mac, tunnel: try index(tunnel))
    case .removeBridgeEntry(let mac, let port): .removePort(mac, port: try index(port))
    case .ensureBridge, .ensureTunnel, .removeTunnel, .removeBridge: nil
    }
  }

  private func entryIsRemoval(_ change: Change) -> Bool {
    switch change {
    case .removeFlood, .stopFlooding, .removeTunnelEntry, .removeBridgeEntry: true
    default: false
    }
  }

  private func applyDevice(_ change: Change) throws(KernelError) {
    switch change {
    case .ensureBridge(let bridge):
      let spec = BridgeSpec(
        name: bridge.name, mac: bridge.mac, mtu: bridge.mtu, alias: bridge.alias.description)
      indices[bridge.name] = try kernel.ensureBridge(spec).index
    case .ensureTunnel(let tunnel):
      indices[tunnel.name] =
        switch tunnel.kind {
        case .vxlan(let port): try kernel.ensureVXLAN(VXLANSpec(tunnel, port: port)).index
        case .gre(let remote): try kernel.ensureGRE(GRESpec(tunnel, remote: remote)).index
        case .tap(let encapsulation): try ensureTAP(tunnel, encapsulation)
        }
    case .removeTunnel(let name, let alias, _), .removeBridge(let name, let alias):
      if case .removeTunnel = change { try closePath(name, alias) }
      try kernel.deleteLink(named: name, alias: alias.description)
      indices[name] = nil
    case .setRemote, .setPort, .addFlood, .removeFlood, .startFlooding, .stopFlooding, .removeTunnelEntry,
      .removeBridgeEntry:
      break
    }
  }
}

extension OverlayApplier {
  /// The network of this TAP, if the device is the one that it was given; else whoever has it keeps it.
  private func closePath(_ tap: String, _ alias: OverlayAlias) throws(KernelError) {
    guard let vni = OverlayNames.vni(ofTAP: tap), let userPath, userPath.carries(vni, by: tap) else { return }
    if let link = try kernel.link(named: tap), link.alias != alias.description { return }
    userPath.close(vni)
  }

  private func ensureTAP(_ tunnel: TunnelState, _ encapsulation: Encapsulation) throws(KernelError) -> Int32 {
    let ensured = try kernel.ensureTAP(TAPSpec(tunnel))
    var isNew = false
    if case .created = ensured { isNew = true }
    do throws(DataPathError) {
      try userPath?.ensure(tunnel, PathEncapsulation(encapsulation), isNew: isNew)
    } catch {
      throw KernelError(error)
    }
    return ensured.index
  }
}

/// What a reconciliation did.
package struct OverlayOutcome: Sendable {
  /// Steps tried; 0 if all stood as wanted.
  package var changeCount = 0
  package var errors: [NetworkID: [KernelError]] = [:]
  package var problems: [NetworkID: OverlayProblem] = [:]

  package init() {}
}

extension VXLANSpec {
  init(_ tunnel: TunnelState, port: UInt16) {
    self.init(
      name: tunnel.name, mac: tunnel.mac, vni: tunnel.vni, local: tunnel.local, port: port, mtu: tunnel.mtu,
      alias: tunnel.alias.description, bridge: tunnel.bridge ?? "")
  }
}

extension GRESpec {
  init(_ tunnel: TunnelState, remote: VTEP) {
    self.init(
      name: tunnel.name, mac: tunnel.mac, vni: tunnel.vni, local: tunnel.local, remote: remote, mtu: tunnel.mtu,
      alias: tunnel.alias.description, bridge: tunnel.bridge ?? "")
  }
}

extension TAPSpec {
  init(_ tunnel: TunnelState) {
    self.init(
      name: tunnel.name, mac: tunnel.mac, mtu: tunnel.mtu, alias: tunnel.alias.description,
      bridge: tunnel.bridge ?? "")
  }
}

extension Change {
  /// The tunnel of an entry that such tunnels have of their own.
  fileprivate var tunnelToAll: String? {
    switch self {
    case .setRemote(_, _, let tunnel), .removeTunnelEntry(_, let tunnel), .addFlood(_, let tunnel),
      .removeFlood(_, let tunnel):
      tunnel
    case .setPort, .removeBridgeEntry, .startFlooding, .stopFlooding, .ensureBridge, .ensureTunnel, .removeTunnel,
      .removeBridge:
      nil
    }
  }

  /// The port or tunnel that an entry or a flag is about.
  fileprivate var port: String? {
    switch self {
    case .setPort(_, let port), .removeBridgeEntry(_, let port): port
    case .setRemote(_, _, let tunnel), .removeTunnelEntry(_, let tunnel): tunnel
    case .addFlood(_, let tunnel), .removeFlood(_, let tunnel): tunnel
    case .startFlooding(_, let tunnel), .stopFlooding(_, let tunnel): tunnel
    case .ensureBridge, .ensureTunnel, .removeTunnel, .removeBridge: nil
    }
  }
}
