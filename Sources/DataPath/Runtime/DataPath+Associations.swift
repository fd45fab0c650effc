import Wire

extension DataPath {
  /// Accepts packets of this SA from this host.
  /// - Parameter material: 32 bytes of key and 4 of salt (RFC 4106, section 8.1).
  /// - Throws: `.spiTaken` if there is an inbound SA with this SPI, `.unusableKey`.
  package func addInbound(_ spi: SPI, from vtep: VTEP, material: [UInt8]) throws(DataPathError) {
    guard inbound[spi] == nil else { throw .spiTaken(spi) }
    let association = try InboundSA(spi: spi.value, material: material, provider: provider)
    guard let peer = known(vtep) else { throw .tooManyHosts }
    inbound[spi] = Inbound(association: association, peer: peer)
    peer.uses += 1
    isInboundStale = true
  }

  /// Makes an SA towards this host, which is not used before `useOutbound`.
  /// - Throws: `.spiTaken` if there is an outbound SA with this SPI to the host, `.unusableKey`.
  package func addOutbound(_ spi: SPI, to vtep: VTEP, material: [UInt8]) throws(DataPathError) {
    if peers[vtep]?.outbound[spi] != nil { throw .spiTaken(spi) }
    let association = try OutboundSA(
      spi: spi.value, material: material, threads: settings.queues, provider: provider)
    guard let peer = known(vtep) else { throw .tooManyHosts }
    peer.outbound[spi] = association
    arePeersStale = true
  }

  /// What frames to this host are sealed by; nil, or an SA that there is not: nothing goes there.
  package func useOutbound(_ spi: SPI?, to vtep: VTEP) {
    guard let peer = peers[vtep], peer.inUse != spi else { return }
    peer.inUse = spi
    arePeersStale = true
  }

  package func removeInbound(_ spi: SPI) {
    guard let old = inbound.removeValue(forKey: spi) else { return }
    peers.release(old.peer)
    isInboundStale = true
  }

  package func removeOutbound(_ spi: SPI, to vtep: VTEP) {
    guard let peer = peers[vtep], peer.outbound.removeValue(forKey: spi) != nil else { return }
    if peer.inUse == spi { peer.inUse = nil }
    peers.release(peer, uses: 0)
    arePeersStale = true
  }

  /// All SAs, with all changes, also those that are not published yet.
  package var associations: [PathAssociation] {
    var all: [PathAssociation] = inbound.map { spi, item in
      PathAssociation(
        spi: spi, vtep: item.peer.vtep, direction: .inbound, isInUse: true, packets: item.association.packets,
        bytes: item.association.bytes, replayed: item.association.replayed,
        integrityFailures: item.association.integrityFailures)
    }
    for peer in peers.all {
      for (spi, association) in peer.outbound {
        all.append(
          PathAssociation(
            spi: spi, vtep: peer.vtep, direction: .outbound, isInUse: peer.inUse == spi,
            packets: association.packets, bytes: association.bytes, replayed: 0, integrityFailures: 0))
      }
    }
    return all
  }
}
