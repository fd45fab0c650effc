import Wire

/// An SA that an earlier run of this agent left in the kernel.
package struct AdoptedAssociation: Hashable, Sendable {
  package var local: VTEP
  package var remote: VTEP
  package var spi: SPI
  package var direction: Association.Direction
  /// Policies point to it. Always so for an inbound one.
  package var isInUse: Bool

  package init(local: VTEP, remote: VTEP, spi: SPI, direction: Association.Direction, isInUse: Bool) {
    self.local = local
    self.remote = remote
    self.spi = spi
    self.direction = direction
    self.isInUse = isInUse
  }
}
