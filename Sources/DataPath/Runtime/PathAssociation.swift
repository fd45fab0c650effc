import Wire

/// An SA of the packet path with what it has carried.
package struct PathAssociation: Hashable, Sendable {
  package enum Direction: Hashable, Sendable {
    case inbound
    case outbound
  }

  package var spi: SPI
  /// The host at the other end.
  package var vtep: VTEP
  package var direction: Direction
  /// Outbound: frames to the host are sealed by this SA. Inbound: always.
  package var isInUse: Bool
  package var packets: UInt64
  /// Of what ESP protects: tunnel headers and frames.
  package var bytes: UInt64
  /// Inbound: packets that had come before, or were too old to tell (RFC 4303 section 3.4.3).
  package var replayed: UInt64
  /// Inbound: packets whose ICV was wrong.
  package var integrityFailures: UInt64
}
