import Wire

extension Associations {
  /// This host's own, current epoch. Number 0 before the start.
  package var epoch: Epoch { Epoch(boot: boot, number: number) }

  /// What policies for the host's present address are to point to; nil if there is no SA to send to it by.
  package func outboundSPI(to host: HostID) -> SPI? { relations[host]?.usableOutbound?.association.spi }

  /// Every SA that is believed to stand.
  package var all: [Association] {
    roster.flatMap { relations[$0]?.all ?? [] } + strangers.map(\.association)
  }

  /// Whether policies are to point to this outbound SA.
  package func isInUse(_ association: Association) -> Bool {
    guard let host = association.peer else {
      return strangers.contains { $0.association == association && $0.isInUse }
    }
    return relations[host]?.usableOutbound?.association == association
  }

  /// The SA that the kernel knows by this destination and SPI.
  package func association(destination: VTEP, spi: SPI) -> Association? {
    all.first { $0.spi == spi && $0.destination == destination }
  }

  package func status(of host: HostID) -> PeerStatus {
    guard let relation = relations[host] else { return PeerStatus() }
    var status = PeerStatus(isEstablished: relation.isEstablished, isWaiting: relation.isWaiting)
    if let pair = currentPair(with: relation.peer) {
      let inUse = relation.inbound.first { $0.spi == relation.inUse }
      status.isConfirmed = inUse?.pair == pair && relation.usableOutbound?.pair == pair
    }
    return status
  }
}
