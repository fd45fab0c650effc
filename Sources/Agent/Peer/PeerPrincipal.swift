import Trust
import Wire

/// Who sent a request over TLS, proven by the key of its certificate.
package enum PeerPrincipal: Hashable, Sendable {
  /// A member of the pool at the moment of the request.
  case member(HostID)
  /// A host of no pool. It may ask to be admitted; whatever else it asks is to be answered with an error.
  case stranger(HostPublicKey)
}
