import Associations
import Wire

/// The IPsec of one machine's kernel: SAs, the SPI that policies point to, counters. It outlives the agent.
struct SimulatedESP {
  struct Ends: Hashable {
    let local: VTEP
    let remote: VTEP
  }

  /// What the kernel knows an SA by.
  struct Name: Hashable, Comparable {
    let destination: VTEP
    let spi: SPI

    static func < (left: Self, right: Self) -> Bool { (left.destination, left.spi) < (right.destination, right.spi) }
  }

  struct State {
    let association: Association
    let key: KeyName
    /// Packets sealed, or the numbers of those opened.
    var lastIV: UInt64 = 0
    var seen: Set<UInt64> = []
  }

  /// A sealed packet of the data path.
  struct Packet {
    let name: Name
    let key: KeyName
    let iv: UInt64
  }

  private(set) var states: [Name: State] = [:]
  private(set) var policies: [Ends: SPI] = [:]

  /// False if another SA has the name.
  mutating func add(_ association: Association, _ key: KeyName) -> Bool {
    let name = association.name
    guard states[name] == nil else { return false }
    states[name] = State(association: association, key: key)
    if association.direction == .outbound { policies[association.ends] = association.spi }
    return true
  }

  mutating func remove(_ association: Association) {
    states[association.name] = nil
    if association.direction == .outbound, policies[association.ends] == association.spi {
      policies[association.ends] = nil
    }
  }

  /// Somebody takes an SA away by hand; policies go on to point to it.
  mutating func delete(_ association: Association) { states[association.name] = nil }

  /// nil if nothing may leave: no policy points to an SA that stands.
  mutating func seal(_ ends: Ends) -> Packet? {
    guard let spi = policies[ends] else { return nil }
    let name = Name(destination: ends.remote, spi: spi)
    guard let found = states[name] else { return nil }
    states[name]?.lastIV += 1
    return Packet(name: name, key: found.key, iv: found.lastIV + 1)
  }

  /// Whether the packet is let in.
  mutating func open(_ packet: Packet) -> Bool {
    guard states[packet.name]?.key == packet.key else { return false }
    return states[packet.name]?.seen.insert(packet.iv).inserted ?? false
  }

  func holds(_ name: Name, _ key: KeyName) -> Bool { states[name]?.key == key }

  func count(_ direction: Association.Direction, with remote: VTEP) -> Int {
    states.values.count { $0.association.direction == direction && $0.association.remote == remote }
  }

  var associations: [Association] {
    states.values.map(\.association).sorted { $0.name < $1.name }
  }

  /// What an agent that starts finds.
  func dump() -> [AdoptedAssociation] {
    associations.map {
      AdoptedAssociation(
        local: $0.local, remote: $0.remote, spi: $0.spi, direction: $0.direction,
        isInUse: $0.direction == .inbound || policies[$0.ends] == $0.spi)
    }
  }
}

extension Association {
  var name: SimulatedESP.Name { SimulatedESP.Name(destination: destination, spi: spi) }
  var ends: SimulatedESP.Ends { SimulatedESP.Ends(local: local, remote: remote) }
}
