/// How the keys with one host are.
package struct PeerStatus: Hashable, Sendable {
  /// Some SA is in use in each direction, whether or not it is of the newest epochs.
  package var isEstablished = false
  /// The SAs of the newest epochs of both ends are in use in both directions.
  package var isConfirmed = false
  /// The SA of the newest epochs waits until the host tells which of the older ones it is done with.
  package var isWaiting = false
}
