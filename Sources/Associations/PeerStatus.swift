/// How the keys with one host are.
package struct PeerStatus: Hashable, Sendable {
  /// This host's newest epoch, and the newest known of the other; 0 if none is.
  package var ownEpoch: UInt64 = 0
  package var peerEpoch: UInt64 = 0
  /// There is an SA to send to the host's present address by.
  package var hasOutbound = false
  /// There is an SA that the host may send by.
  package var hasInbound = false
  /// Some SA is in use in each direction, whether or not it is of the newest epochs.
  package var isEstablished = false
  /// The SAs of the newest epochs of both ends are in use in both directions.
  package var isConfirmed = false
  /// The SA of the newest epochs waits until the host tells which of the older ones it is done with.
  package var isWaiting = false
  /// Inbound SAs that stand, those that are about to go included.
  package var inboundCount = 0
}
