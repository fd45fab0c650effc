/// The bounds of the TLS transport.
package struct PeerLimits: Sendable {
  /// The longest request of a member, and the longest answer, in bytes.
  package static let maximumMessage = 16 << 20
  /// The longest request of a host that is not a member, in bytes.
  package static let maximumStrangerMessage = 64 << 10

  /// From the accepted connection to the end of the TLS handshake.
  package var handshake: Duration = .seconds(5)
  /// From the end of the handshake, or from the last answer, to the end of the next request.
  package var idle: Duration = .seconds(30)
  /// How long a caller that was turned away may take to read why.
  package var farewell: Duration = .seconds(2)
  /// Connections at once.
  package var connections = 512
  /// Connections at once from one address.
  package var connectionsPerAddress = 32
  /// Connections at once from one /64 of IPv6. Half of all: the hosts of a pool share one /64 as a rule, and one machine
  /// on their link must not keep everybody else out.
  package var connectionsPerBlock = 256

  package init() {}
}
