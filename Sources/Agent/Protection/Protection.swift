import Associations
import Glibc
import Kernel
import Overlay
import Wire

/// What keeps the frames of encrypted networks from leaving or entering in clear, and the SAs that carry them: IPsec
/// policies and states, and a packet filter that knows nothing of either. It belongs to the engine's thread and outlives
/// a node, as the kernel's objects do.
///
/// What is opened is opened in this order: wide blocks and the filter, then SAs, then the policies that use them; what is
/// closed goes in the opposite one.
final class Protection: SADatabase {
  /// Why one of the two locks is not there; each closes by itself.
  struct Locks {
    var policies: KernelError?
    var filter: KernelError?
  }

  let xfrm: KernelXFRM
  private let filter: PacketFilterLock?
  /// Tells when someone else changed our policies or states.
  private(set) var monitor: XFRMMonitor
  /// Tells when someone else changed the rules of packet filters; nil without the filter.
  private(set) var filterMonitor: PacketFilterMonitor?
  private(set) var locks: Locks
  /// What was found by trying at start.
  private let proven: Locks
  private var policies = ProtectionPolicies()
  /// The policies that stand, as last dumped or set. The kernel has one of each subject.
  private var standing: [XFRMPolicy.Subject: XFRMPolicy] = [:]
  /// Everything wanted stands, and nothing else, as far as is known.
  private var isSettled = false
  /// The keys of GRE that the filter was last told of; nil before the first time and when it is not as it was left.
  private var filtered: Set<VNI>?
  /// What was added in this run, to see whether it is still as it was made.
  private var made: [SAName: XFRMState] = [:]
  private var inboundSPIs: [TunnelEnds: Set<SPI>] = [:]
  /// Why the last SA or policy could not be set up.
  private(set) var lastError: KernelError?
  var lastRefusal: String? { lastError?.description }
  /// Whose the SAs of this run are.
  private var owner: SAOwner?
  /// What stood before is not known, as a look at it failed: what closes is only added to, and nothing is taken away.
  private var isBlind = false

  init(_ abilities: KernelAbilities.Protection) throws(KernelError) {
    let xfrm = try KernelXFRM()
    self.xfrm = xfrm
    monitor = try XFRMMonitor(ignoring: xfrm)
    proven = Locks(policies: abilities.policyLock, filter: abilities.filterLock)
    let filter = abilities.filterLock == nil ? try PacketFilterLock() : nil
    self.filter = filter
    if let filter { filterMonitor = try PacketFilterMonitor(ignoring: filter) }
    locks = proven
  }

  /// Monitors in place of those that cannot be read any more.
  func reopenMonitors() throws(KernelError) {
    monitor = try XFRMMonitor(ignoring: xfrm)
    if let filter { filterMonitor = try PacketFilterMonitor(ignoring: filter) }
  }

  /// Reads what has come.
  ///
  /// - Returns: whether someone else changed something of ours.
  func monitorReadable() throws(KernelError) -> Bool { try !monitor.receive().isEmpty }

  /// Reads what has come, and sets the filter right at once if someone else touched it.
  ///
  /// - Returns: whether that was so.
  func filterMonitorReadable() throws(KernelError) -> Bool {
    guard let filterMonitor, try filterMonitor.drain() else { return false }
    checkFilter()
    guard filtered == nil else { return false }
    closeFilter()
    return true
  }

  // MARK: Locks

  /// The GRE keys with which no frame may go in clear.
  var closedKeys: Set<VNI> { policies.greKeys }

  /// Whether frames with this GRE key are kept from going in clear.
  func isClosed(_ key: VNI) -> Bool { policies.greKeys.contains(key) }

  /// Whether the error was found by trying at start: `doctor` tells of it, and no network can help it.
  func isProven(_ error: KernelError) -> Bool { error == proven.policies || error == proven.filter }

  /// Closes the ways of encrypted networks before any device of them is made: VXLAN by its port, GRE by these keys.
  func close(greKeys: Set<VNI>) {
    guard greKeys != policies.greKeys || !isSettled || (filter != nil && filtered != greKeys) else { return }
    policies.greKeys = greKeys
    closeFilter()
    locks.policies = settle() ?? proven.policies
  }

  private func closeFilter() {
    guard let filter, filtered != policies.greKeys else { return }
    do throws(KernelError) {
      if isBlind { try adoptFiltered(filter) }
      _ = try filter.ensure(udpPort: OverlayNames.protectedVXLANPort, greKeys: Set(policies.greKeys.map(\.value)))
      filtered = policies.greKeys
      locks.filter = nil
    } catch {
      locks.filter = error
    }
  }

  /// Notes if the filter is not as it was left.
  private func checkFilter() {
    guard let filter, let keys = filtered else { return }
    let stands = try? filter.stands(udpPort: OverlayNames.protectedVXLANPort, greKeys: Set(keys.map(\.value)))
    if stands != true { filtered = nil }
  }

  /// Brings all policies about: what opens nothing first, what is not wanted any more last.
  ///
  /// - Returns: why a block does not stand; what cannot be opened shows in the SAs.
  private func settle() -> KernelError? {
    let wanted = policies.wanted
    let failures = set(wanted)
    let kept = Set(wanted.map(\.subject))
    let surplus = isBlind ? [] : standing.filter { !kept.contains($0.key) }.map(\.value)
    let isRid = unset(surplus.filter { !$0.isBlock } + surplus.filter(\.isBlock))
    isSettled = failures.isEmpty && isRid
    return failures.first { $0.policy.isBlock }?.error
  }

  /// Sets those of the policies that do not stand, in their order.
  ///
  /// - Returns: those that could not be set.
  private func set(_ policies: [XFRMPolicy]) -> [(policy: XFRMPolicy, error: KernelError)] {
    let missing = policies.filter { standing[$0.subject] != $0 }
    let failures = xfrm.replace(missing)
    let failed = Set(failures.map(\.index))
    for (index, policy) in missing.enumerated() where !failed.contains(index) { standing[policy.subject] = policy }
    if let error = failures.first?.error {
      lastError = error
      isSettled = false
    }
    return failures.map { (missing[$0.index], $0.error) }
  }

  /// - Returns: whether none of them stands now.
  private func unset(_ policies: [XFRMPolicy]) -> Bool {
    let stuck = Set(xfrm.remove(policies).map(\.index))
    for (index, policy) in policies.enumerated() where !stuck.contains(index) { standing[policy.subject] = nil }
    if !stuck.isEmpty { isSettled = false }
    return stuck.isEmpty
  }

  // MARK: SAs

  func install(_ association: Association, key: [UInt8], inUDP: Bool = false) -> InstallOutcome {
    let outcome = add(association, key, inUDP)
    guard outcome == .done else { return outcome }
    let ends = association.ends
    inboundSPIs[ends, default: []].insert(association.spi)
    policies.inbound.insert(ends)
    guard isOpened(policies.inbound(ends)) else {
      remove(association)
      return .burnt
    }
    return .done
  }

  /// Every policy for these ends is turned to it, one update each.
  func switchOutbound(to association: Association, key: [UInt8], inUDP: Bool = false) -> InstallOutcome {
    let outcome = add(association, key, inUDP)
    guard outcome == .done else { return outcome }
    let ends = association.ends
    let before = policies.outbound[ends]
    policies.outbound[ends] = association.spi
    guard isOpened(policies.outbound(ends)) else {
      policies.outbound[ends] = before
      removeState(association)
      return .burnt
    }
    return .done
  }

  /// Sets policies that let frames through. A foreign policy in the way of one network must not stop the others.
  private func isOpened(_ policies: [XFRMPolicy]) -> Bool { set(policies).count < policies.count }

  private func add(_ association: Association, _ key: [UInt8], _ inUDP: Bool) -> InstallOutcome {
    let state = XFRMState(
      source: association.source, destination: association.destination, spi: association.spi.value, key: key,
      encapsulation: inUDP ? .weft : nil)
    do throws(KernelError) {
      try xfrm.add(state)
    } catch {
      lastError = error
      switch error.code {
      case EEXIST: return .spiTaken
      // The answer was lost: it may stand, so its key is spent.
      case EAGAIN, ENOBUFS, ETIMEDOUT: return .burnt
      default: return .refused
      }
    }
    made[SAName(association)] = state
    return .done
  }

  func remove(_ association: Association) {
    close(association)
    removeState(association)
  }

  func close(_ association: Association) {
    let ends = association.ends
    switch association.direction {
    case .outbound:
      if policies.outbound[ends] == association.spi {
        let gone = policies.outbound(ends)
        policies.outbound[ends] = nil
        _ = unset(gone)
      }
    case .inbound:
      inboundSPIs[ends]?.remove(association.spi)
      if inboundSPIs[ends]?.isEmpty ?? true {
        inboundSPIs[ends] = nil
        let gone = policies.inbound(ends)
        policies.inbound.remove(ends)
        _ = unset(gone)
      }
    }
  }

  private func removeState(_ association: Association) {
    let name = SAName(association)
    made[name] = nil
    removeState(name, from: association.source)
  }

  private func removeState(_ name: SAName, from source: VTEP) {
    do throws(KernelError) {
      try xfrm.remove(source: source, destination: name.destination, spi: name.spi)
    } catch {
      lastError = error
    }
  }

  // MARK: What stands

  /// Dumps policies and SAs, and takes the policies as what stands.
  func look() throws(KernelError) -> SASighting {
    let found = try xfrm.policies()
    var sighting = SASighting()
    for (state, use) in try xfrm.states() {
      let name = SAName(destination: state.destination, spi: state.spi)
      sighting.found[name] = SASighting.Found(
        source: state.source, isSound: isAsMade(state, name), packets: use.packets, replayed: UInt64(use.replayed),
        integrityFailures: UInt64(use.integrityFailures))
    }
    standing = Dictionary(found.map { ($0.subject, $0) }, uniquingKeysWith: { first, _ in first })
    isSettled = false
    checkFilter()
    return sighting
  }

  func adopt(local: VTEP, owner: SAOwner) throws(KernelError) -> [AdoptedAssociation] {
    isBlind = true
    if let old = self.owner, old != owner, let failure = removeAll(keepsLocks: true).first { throw failure }
    self.owner = owner
    // Either lock may have been taken away meanwhile: what the other one closes stays closed by both.
    if let filter { try adoptFiltered(filter) }
    let sighting = try look()
    isBlind = false
    let closed = policies.greKeys
    policies = ProtectionPolicies()
    policies.greKeys = closed
    inboundSPIs = [:]
    for policy in standing.values { adopt(policy.traffic) }
    var outbound: [TunnelEnds: [SPI]] = [:]
    var adopted: [AdoptedAssociation] = []
    for (name, found) in sighting.found.sorted(by: { $0.key.spi < $1.key.spi }) {
      guard let spi = SPI(name.spi), found.source == local || name.destination == local else {
        removeState(name, from: found.source)
        continue
      }
      if found.source == local {
        outbound[TunnelEnds(local: local, remote: name.destination), default: []].append(spi)
      } else {
        let ends = TunnelEnds(local: local, remote: found.source)
        policies.inbound.insert(ends)
        inboundSPIs[ends, default: []].insert(spi)
        adopted.append(
          AdoptedAssociation(local: local, remote: ends.remote, spi: spi, direction: .inbound, isInUse: true))
      }
    }
    for (ends, spis) in outbound.sorted(by: { $0.key.remote < $1.key.remote }) {
      let inUse = spiInUse(ends, spis)
      policies.outbound[ends] = inUse
      adopted += spis.map {
        AdoptedAssociation(local: local, remote: ends.remote, spi: $0, direction: .outbound, isInUse: $0 == inUse)
      }
    }
    return adopted
  }

  private func adoptFiltered(_ filter: PacketFilterLock) throws(KernelError) {
    for drops in try filter.counters() { adopt(drops.traffic) }
  }

  private func adopt(_ traffic: XFRMPolicy.Traffic) {
    if case .gre(let key) = traffic, let vni = VNI(key) { policies.greKeys.insert(vni) }
  }

  /// The one that a policy names. If someone flushed the policies, the only one that stands is it.
  private func spiInUse(_ ends: TunnelEnds, _ spis: [SPI]) -> SPI? {
    let named = spis.filter { spi in
      standing.values.contains {
        $0.action == .protect(source: ends.local, destination: ends.remote, spi: spi.value)
      }
    }
    return named.first ?? (spis.count == 1 ? spis.first : nil)
  }

  /// Whether the SA is as it was made.
  private func isAsMade(_ state: XFRMState, _ name: SAName) -> Bool {
    guard state.isAsMade else { return false }
    guard var made = made[name] else { return true }
    // A locked-down kernel shows no keys.
    if state.key.allSatisfy({ $0 == 0 }) { made.key = state.key }
    return made == state
  }

  func repair(_ sighting: SASighting, known: [Association], isInUse: (Association) -> Bool = { _ in true }) {
    let names = Set(known.map { SAName($0) })
    for (name, found) in sighting.found where !names.contains(name) { removeState(name, from: found.source) }
    let before = policies.outbound
    policies.outbound = [:]
    policies.inbound = []
    inboundSPIs = [:]
    for association in known {
      switch association.direction {
      case .inbound:
        policies.inbound.insert(association.ends)
        inboundSPIs[association.ends, default: []].insert(association.spi)
      case .outbound:
        let ends = association.ends
        // Two hosts can be known at one address, where one took it over: what frames go by stays.
        guard isInUse(association), policies.outbound[ends] == nil || association.spi == before[ends] else { continue }
        policies.outbound[ends] = association.spi
      }
    }
    closeFilter()
    locks.policies = settle() ?? proven.policies
    do throws(KernelError) { _ = try xfrm.removeStrangePolicies() } catch { lastError = error }
  }

  /// Takes everything of ours away, what closes last.
  ///
  /// - Parameter keepsLocks: only what opens goes: SAs and the policies that use them.
  /// - Returns: what could not be taken away.
  func removeAll(keepsLocks: Bool = false) -> [KernelError] {
    var failures: [KernelError] = []
    do throws(KernelError) {
      let all = try xfrm.policies()
      let ordered = all.filter { !$0.isBlock }
      failures += xfrm.remove(ordered).map(\.error)
      for (state, _) in try xfrm.states() {
        try xfrm.remove(source: state.source, destination: state.destination, spi: state.spi)
      }
      if !keepsLocks {
        failures += xfrm.remove(all.filter(\.isBlock)).map(\.error)
        try filter?.remove()
      }
    } catch {
      failures.append(error)
    }
    policies = ProtectionPolicies()
    standing = [:]
    filtered = nil
    isSettled = false
    made = [:]
    inboundSPIs = [:]
    return failures
  }
}

extension Association {
  var ends: TunnelEnds { TunnelEnds(local: local, remote: remote) }
  fileprivate var source: VTEP { direction == .inbound ? remote : local }
}
