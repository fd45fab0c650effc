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
final class Protection {
  /// Why one of the two locks is not there; each closes by itself.
  struct Locks {
    var policies: KernelError?
    var filter: KernelError?
  }

  private let xfrm: KernelXFRM
  private let filter: PacketFilterLock?
  /// Tells when someone else changed our policies or states.
  private(set) var monitor: XFRMMonitor
  private(set) var locks: Locks
  /// What was found by trying at start.
  private let proven: Locks
  private var policies = ProtectionPolicies()
  /// Everything wanted stands, as far as is known.
  private var isSettled = false
  /// The policies that stand, as last dumped or set.
  private var standing: Set<XFRMPolicy> = []
  /// The keys of GRE that the filter was last told of; nil before the first time and after it could not be read.
  private var filtered: Set<VNI>?
  /// What was added in this run, to see whether it is still as it was made.
  private var made: [StateName: XFRMState] = [:]
  private var inboundSPIs: [TunnelEnds: Set<SPI>] = [:]

  /// An SA of the kernel (RFC 4301 section 4.1).
  fileprivate struct StateName: Hashable {
    var destination: VTEP
    var spi: UInt32
  }

  init(_ abilities: KernelAbilities.Protection) throws(KernelError) {
    let xfrm = try KernelXFRM()
    self.xfrm = xfrm
    monitor = try XFRMMonitor(ignoring: xfrm)
    proven = Locks(policies: abilities.policyLock, filter: abilities.filterLock)
    filter = abilities.filterLock == nil ? try PacketFilterLock() : nil
    locks = proven
  }

  /// A monitor in place of one that cannot be read any more.
  func reopenMonitor() throws(KernelError) { monitor = try XFRMMonitor(ignoring: xfrm) }

  /// Reads what has come.
  ///
  /// - Returns: whether someone else changed something of ours.
  func monitorReadable() throws(KernelError) -> Bool { try !monitor.receive().isEmpty }

  // MARK: Locks

  /// Whether frames with this GRE key are kept from going in clear.
  func isClosed(_ key: VNI) -> Bool { policies.greKeys.contains(key) }

  /// Whether the error was found by trying at start: `doctor` tells of it, and no network can help it.
  func isProven(_ error: KernelError) -> Bool { error == proven.policies || error == proven.filter }

  /// Closes the ways of encrypted networks before any device of them is made: VXLAN by its port, GRE by these keys.
  func close(greKeys: Set<VNI>) {
    guard greKeys != policies.greKeys || filtered != greKeys || !isSettled else { return }
    policies.greKeys = greKeys
    closeFilter()
    locks.policies = settle() ?? proven.policies
  }

  private func closeFilter() {
    guard let filter, filtered != policies.greKeys else { return }
    do throws(KernelError) {
      _ = try filter.ensure(udpPort: OverlayNames.protectedVXLANPort, greKeys: Set(policies.greKeys.map(\.value)))
      filtered = policies.greKeys
      locks.filter = nil
    } catch {
      locks.filter = error
    }
  }

  /// Brings the policies about: what opens nothing first, what is not wanted any more last.
  ///
  /// - Returns: why a block does not stand; what cannot be opened shows in the SAs.
  private func settle() -> KernelError? {
    let wanted = policies.wanted
    let missing = wanted.subtracting(standing)
    let replaced = missing.filter(\.isBlock) + missing.filter { !$0.isBlock }
    var failure: KernelError?
    let failed = Dictionary(
      xfrm.replace(replaced).map { ($0.index, $0.error) }, uniquingKeysWith: { first, _ in first })
    let subjects = Set(replaced.map(\.subject))
    // The kernel has one policy of each subject: what was replaced stands no more.
    let old = standing.filter { subjects.contains($0.subject) }
    for (index, policy) in replaced.enumerated() {
      if let error = failed[index] {
        if policy.isBlock { failure = error }
      } else {
        for other in old where other.subject == policy.subject { standing.remove(other) }
        standing.insert(policy)
      }
    }
    let kept = Set(wanted.map(\.subject))
    let surplus = standing.filter { !kept.contains($0.subject) }
    let gone = surplus.filter { !$0.isBlock } + surplus.filter(\.isBlock)
    let stuck = Set(xfrm.remove(gone).map(\.index))
    for (index, policy) in gone.enumerated() where !stuck.contains(index) { standing.remove(policy) }
    isSettled = failed.isEmpty && stuck.isEmpty
    return failure
  }

  // MARK: SAs

  /// Adds an inbound SA and lets its frames in.
  func install(_ association: Association, key: [UInt8]) -> InstallOutcome {
    let outcome = add(association, key)
    guard outcome == .done else { return outcome }
    let ends = association.ends
    inboundSPIs[ends, default: []].insert(association.spi)
    policies.inbound.insert(ends)
    _ = settle()
    guard isOpen(from: ends.remote, to: ends.local, by: nil) else {
      remove(association)
      return .burnt
    }
    return .done
  }

  /// Adds an outbound SA and turns every policy for these ends to it, one update each.
  func switchOutbound(to association: Association, key: [UInt8]) -> InstallOutcome {
    let outcome = add(association, key)
    guard outcome == .done else { return outcome }
    let ends = association.ends
    let before = policies.outbound[ends]
    policies.outbound[ends] = association.spi
    _ = settle()
    guard isOpen(from: ends.local, to: ends.remote, by: association.spi) else {
      policies.outbound[ends] = before
      _ = settle()
      removeState(association)
      return .burnt
    }
    return .done
  }

  /// Whether every policy that lets frames go this way stands.
  private func isOpen(from source: VTEP, to destination: VTEP, by spi: SPI?) -> Bool {
    isSettled
      || policies.wanted.filter { $0.action == .protect(source: source, destination: destination, spi: spi?.value) }
        .isSubset(of: standing)
  }

  private func add(_ association: Association, _ key: [UInt8]) -> InstallOutcome {
    let state = XFRMState(
      source: association.source, destination: association.destination, spi: association.spi.value, key: key)
    do throws(KernelError) {
      try xfrm.add(state)
    } catch {
      lastError = error
      return error.code == EEXIST ? .spiTaken : .refused
    }
    made[StateName(association)] = state
    return .done
  }

  /// Why the last SA could not be added.
  private(set) var lastError: KernelError?

  /// Closes and takes away; a policy that uses another SA of the same ends stays.
  func remove(_ association: Association) {
    let ends = association.ends
    switch association.direction {
    case .outbound:
      if policies.outbound[ends] == association.spi {
        policies.outbound[ends] = nil
        _ = settle()
      }
    case .inbound:
      inboundSPIs[ends]?.remove(association.spi)
      if inboundSPIs[ends]?.isEmpty ?? true {
        inboundSPIs[ends] = nil
        policies.inbound.remove(ends)
        _ = settle()
      }
    }
    removeState(association)
  }

  private func removeState(_ association: Association) {
    made[StateName(association)] = nil
    do throws(KernelError) {
      try xfrm.remove(
        source: association.source, destination: association.destination, spi: association.spi.value)
    } catch {
      lastError = error
    }
  }

  // MARK: What stands

  /// The SAs that were found at one look.
  struct Sighting {
    fileprivate var states: [StateName: (state: XFRMState, use: XFRMUse)] = [:]

    func use(of association: Association) -> XFRMUse? { states[StateName(association)]?.use }
  }

  /// Dumps policies and SAs, and takes the policies as what stands.
  func look() throws(KernelError) -> Sighting {
    standing = Set(try xfrm.policies())
    isSettled = false
    if let filter, let filtered,
      (try? filter.stands(udpPort: OverlayNames.protectedVXLANPort, greKeys: Set(filtered.map(\.value)))) != true
    {
      self.filtered = nil
    }
    var sighting = Sighting()
    for (state, use) in try xfrm.states() {
      sighting.states[StateName(destination: state.destination, spi: state.spi)] = (state, use)
    }
    return sighting
  }

  /// Takes over what an earlier run left between this address and others; what it left for another address goes.
  func adopt(local: VTEP) throws(KernelError) -> [AdoptedAssociation] {
    let sighting = try look()
    policies = ProtectionPolicies()
    inboundSPIs = [:]
    for policy in standing {
      if case .gre(let key) = policy.traffic, let vni = VNI(key) { policies.greKeys.insert(vni) }
    }
    var adopted: [AdoptedAssociation] = []
    for (state, _) in sighting.states.values.sorted(by: { $0.state.spi < $1.state.spi }) {
      guard let spi = SPI(state.spi), state.source == local || state.destination == local else {
        try xfrm.remove(source: state.source, destination: state.destination, spi: state.spi)
        continue
      }
      let isOutbound = state.source == local
      let ends = TunnelEnds(local: local, remote: isOutbound ? state.destination : state.source)
      let isInUse =
        !isOutbound
        || standing.contains { $0.action == .protect(source: local, destination: ends.remote, spi: state.spi) }
      if isOutbound {
        if isInUse { policies.outbound[ends] = spi }
      } else {
        policies.inbound.insert(ends)
        inboundSPIs[ends, default: []].insert(spi)
      }
      adopted.append(
        AdoptedAssociation(
          local: local, remote: ends.remote, spi: spi, direction: isOutbound ? .outbound : .inbound, isInUse: isInUse))
    }
    return adopted
  }

  /// Whether the SA stands as it was made.
  func stands(_ association: Association, in sighting: Sighting) -> Bool {
    guard let (state, _) = sighting.states[StateName(association)], state.isAsMade else { return false }
    guard var made = made[StateName(association)] else { return true }
    // A locked-down kernel shows no keys.
    if state.key.allSatisfy({ $0 == 0 }) { made.key = state.key }
    return made == state
  }

  /// Takes away SAs of ours that nobody knows, and sets right what is not as it should be.
  func repair(_ sighting: Sighting, known: [Association]) {
    let names = Set(known.map { StateName($0) })
    for (name, found) in sighting.states where !names.contains(name) {
      do throws(KernelError) {
        try xfrm.remove(source: found.state.source, destination: found.state.destination, spi: found.state.spi)
      } catch {
        lastError = error
      }
    }
    closeFilter()
    locks.policies = settle() ?? proven.policies
    do throws(KernelError) { _ = try xfrm.removeStrangePolicies() } catch { lastError = error }
  }

  /// Takes everything of ours away, what closes last.
  ///
  /// - Returns: what could not be taken away.
  func removeAll() -> [KernelError] {
    var failures: [KernelError] = []
    do throws(KernelError) {
      let all = try xfrm.policies()
      let ordered = all.filter { !$0.isBlock }
      failures += xfrm.remove(ordered).map(\.error)
      for (state, _) in try xfrm.states() {
        try xfrm.remove(source: state.source, destination: state.destination, spi: state.spi)
      }
      failures += xfrm.remove(all.filter(\.isBlock)).map(\.error)
      try filter?.remove()
    } catch {
      failures.append(error)
    }
    policies = ProtectionPolicies()
    standing = []
    filtered = nil
    made = [:]
    inboundSPIs = [:]
    return failures
  }
}

extension Protection.StateName {
  fileprivate init(_ association: Association) {
    self.init(destination: association.destination, spi: association.spi.value)
  }
}

extension Association {
  var ends: TunnelEnds { TunnelEnds(local: local, remote: remote) }
  fileprivate var source: VTEP { direction == .inbound ? remote : local }
}
