import Wire

/// Who called, as far as its certificate tells. TLS has proven that the caller holds the certificate's key.
package enum PeerIdentification: Hashable, Sendable {
  /// A member of the pool now.
  case member(HostID)
  /// A host with a self-signed certificate: it may ask to be admitted and nothing else.
  case stranger(HostPublicKey)
  /// Nobody to talk to: of another pool, evicted, or not a host at all.
  case refused(TrustError)
}
