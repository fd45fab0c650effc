import Associations
import DataPath
import Wire

/// The SAs of the packet path in user space. They need no policies: nothing leaves there that is not sealed, and nothing
/// is taken that an SA did not open.
final class UserProtection: SADatabase {
  private let path: DataPath
  /// This host's end of the SAs that were not made through this object.
  private var local: VTEP?
  /// How those that were are known.
  private var names: [Place: SAName] = [:]
  private(set) var lastRefusal: String?
  /// Those that were made for an address that this host has left. No other member takes them over.
  private var abandoned: Set<Place> = []
  /// Whose the SAs are.
  private var owner: SAOwner?

  /// How the packet path knows an SA.
  private struct Place: Hashable {
    var direction: PathAssociation.Direction
    /// nil inbound, where the SPI is enough.
    var vtep: VTEP?
    var spi: SPI

    init(_ association: Association) {
      direction = association.direction == .inbound ? .inbound : .outbound
      vtep = association.direction == .inbound ? nil : association.remote
      spi = association.spi
    }

    init(_ association: PathAssociation) {
      direction = association.direction
      vtep = association.direction == .inbound ? nil : association.vtep
      spi = association.spi
    }
  }

  init(_ path: DataPath) { self.path = path }

  /// What stands if this agent became another member without a new process; a new process starts with nothing.
  func adopt(local: VTEP, owner: SAOwner) -> [AdoptedAssociation] {
    let isOfOther = self.local.map { $0 != local } ?? false || self.owner.map { $0 != owner } ?? false
    (self.local, self.owner) = (local, owner)
    names = [:]
    guard !isOfOther else {
      removeAll()
      return []
    }
    for place in abandoned { take(away: place) }
    path.publish()
    return path.associations.sorted { $0.spi.value < $1.spi.value }.map {
      AdoptedAssociation(
        local: local, remote: $0.vtep, spi: $0.spi, direction: $0.direction == .inbound ? .inbound : .outbound,
        isInUse: $0.isInUse)
    }
  }

  /// This host has another address. No host takes what the SAs of the one before would send from here, so nothing goes
  /// by them any more.
  func move(to local: VTEP) {
    guard let old = self.local, old != local else { return }
    // Those that are known by their place alone are of the old address.
    for association in path.associations where names[Place(association)] == nil {
      names[Place(association)] = name(of: association)
    }
    self.local = local
    abandoned.formUnion(path.associations.map { Place($0) })
    for association in path.associations where association.direction == .outbound && association.isInUse {
      path.useOutbound(nil, to: association.vtep)
    }
    path.publish()
  }

  func install(_ association: Association, key: [UInt8], inUDP: Bool = true) -> InstallOutcome {
    add(association) { () throws(DataPathError) in
      try path.addInbound(association.spi, from: association.remote, material: key)
    }
  }

  func switchOutbound(to association: Association, key: [UInt8], inUDP: Bool = true) -> InstallOutcome {
    add(association) { () throws(DataPathError) in
      try path.addOutbound(association.spi, to: association.remote, material: key)
      path.useOutbound(association.spi, to: association.remote)
    }
  }

  private func add(_ association: Association, _ body: () throws(DataPathError) -> Void) -> InstallOutcome {
    do throws(DataPathError) {
      try body()
    } catch {
      lastRefusal = error.description
      if case .spiTaken = error { return .spiTaken }
      return .refused
    }
    path.publish()
    names[Place(association)] = SAName(association)
    abandoned.remove(Place(association))
    return .done
  }

  func close(_ association: Association) {
    switch association.direction {
    case .inbound: remove(association)
    case .outbound:
      let isInUse = path.associations.contains {
        $0.direction == .outbound && $0.vtep == association.remote && $0.spi == association.spi && $0.isInUse
      }
      guard isInUse else { return }
      path.useOutbound(nil, to: association.remote)
      path.publish()
    }
  }

  /// One that never came to stand has its SPI from another.
  func remove(_ association: Association) {
    let place = Place(association)
    guard names[place, default: SAName(association)] == SAName(association) else { return }
    names[place] = nil
    take(away: place)
    path.publish()
  }

  private func take(away place: Place) {
    abandoned.remove(place)
    if let vtep = place.vtep {
      path.removeOutbound(place.spi, to: vtep)
    } else {
      path.removeInbound(place.spi)
    }
  }

  func look() -> SASighting {
    var sighting = SASighting()
    for association in path.associations {
      guard let name = name(of: association) else { continue }
      sighting.found[name] = SASighting.Found(
        source: association.direction == .inbound ? association.vtep : local ?? association.vtep, isSound: true,
        packets: association.packets, replayed: association.replayed,
        integrityFailures: association.integrityFailures)
    }
    return sighting
  }

  private func name(of association: PathAssociation) -> SAName? {
    if let name = names[Place(association)] { return name }
    let destination = association.direction == .inbound ? local : association.vtep
    return destination.map { SAName(destination: $0, spi: association.spi.value) }
  }

  func repair(_: SASighting, known: [Association], isInUse: (Association) -> Bool) {
    let wanted = Set(known.map { SAName($0) })
    let all = path.associations
    var isChanged = false
    for association in all where name(of: association).map({ !wanted.contains($0) }) ?? true {
      names[Place(association)] = nil
      take(away: Place(association))
      isChanged = true
    }
    for vtep in Set(all.filter { $0.direction == .outbound }.map(\.vtep)) {
      let spis = known.filter { $0.direction == .outbound && $0.remote == vtep && isInUse($0) }.map(\.spi)
      let present = all.first { $0.direction == .outbound && $0.vtep == vtep && $0.isInUse }?.spi
      // Two hosts can be known at one address, where one took it over: what frames go by stays.
      if let present, spis.contains(present) { continue }
      guard spis.first != present else { continue }
      path.useOutbound(spis.first, to: vtep)
      isChanged = true
    }
    if isChanged { path.publish() }
  }

  func removeAll() {
    for association in path.associations { take(away: Place(association)) }
    names = [:]
    path.publish()
  }
}
