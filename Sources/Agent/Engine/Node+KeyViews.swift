import Associations
import Control
import DataPath
import Registry
import Wire

// What the API shows of the keys of the data path.
extension Node {
  /// The keys between this host and `host`, or every other member if it is this host itself; nil without keys.
  func keyViews(of host: HostView) -> [API.HostKeys]? {
    guard keys != nil else { return nil }
    let sighting = try? around.kernel.associations?.look()
    let counters = around.kernel.userPath?.path.counters()
    let others = host.id == identity.hostID ? otherMembers : [host].filter { $0.standing == .member }
    return others.map { keyView(of: $0, sighting, counters) }.sorted { ($0.host, $0.hostId) < ($1.host, $1.hostId) }
  }

  private var otherMembers: [HostView] {
    registry.hosts.filter { $0.standing == .member && $0.id != identity.hostID }
  }

  private func keyView(of host: HostView, _ sighting: SASighting?, _ counters: PathCounters?) -> API.HostKeys {
    var view = API.HostKeys(host: name(of: host.id), hostId: host.id.description, state: keyState(of: host.id))
    guard let keys else { return view }
    for association in keys.core.all where association.peer == host.id {
      let use = sighting?.use(of: association)
      switch association.direction {
      case .inbound:
        view.inbound += 1
        view.packetsReceived += use?.packets ?? 0
        view.replayed += use?.replayed ?? 0
        view.integrityFailures += use?.integrityFailures ?? 0
      case .outbound: view.packetsSent += use?.packets ?? 0
      }
    }
    if let counters, let vtep = vtep(of: host.id) { view.drops = API.Drop.list(counters.peers[vtep]?.drops ?? [:]) }
    view.outboundSPI = keys.core.outboundSPI(to: host.id).map(\.description)
    return view
  }

  private func keyState(of host: HostID) -> API.KeyState {
    guard let status = keys?.core.status(of: host) else { return .none }
    if status.isWaiting { return .waiting }
    if status.isConfirmed { return .established }
    return registry.epochKey(of: host) == nil ? .none : .pending
  }

  /// With how many members keys are in which state; nil without keys.
  var keyCounts: API.KeyCounts? {
    guard let keys else { return nil }
    var counts = API.KeyCounts(epoch: keys.core.epoch.number)
    for host in otherMembers {
      switch keyState(of: host.id) {
      case .established: counts.established += 1
      case .pending: counts.pending += 1
      case .waiting: counts.waiting += 1
      case .none: counts.none += 1
      }
    }
    return counts
  }
}
