import Wire

/// Whom the caller of a TLS connection wants to find at the other end.
package enum PeerExpectation: Hashable, Sendable {
  /// This host, as a member of the pool.
  case host(HostID)
  /// Any member of the pool.
  case anyMember
  /// A host of the pool whose CA certificate has this SHA-256: a joiner has nothing else to go by.
  case pinnedCA(Fingerprint)
}

/// Why the other end of a TLS connection is not whom the caller wanted.
package enum PeerVerificationError: Error, Equatable, CustomStringConvertible {
  case noCertificate
  /// The host there is in no pool.
  case notJoined(HostID)
  case untrusted(TrustError)
  case otherHost(expected: HostID, found: HostID)
  /// The chain does not contain the CA that the token names.
  case otherCA(poolName: String?)
  /// The leaf was not signed by the CA that the token names.
  case notSignedByPinnedCA
  /// The caller itself is in no pool, so it can tell no member.
  case noPool

  package var description: String {
    switch self {
    case .noCertificate: "the other side shows no certificate; is that weftd?"
    case .notJoined: "the host there is in no pool: run `weft pool init` or `weft pool join` on it first"
    case .untrusted(let error): "the host there is not taken for a member of this pool: \(error)"
    case .otherHost(let expected, let found): "host \(found) answers there, but host \(expected) was expected"
    case .otherCA(let name?):
      "the CA of pool '\(name)' there is not the one that the token names: a host was evicted since, or the address is that of another pool; make a new token with `weft pool invite`"
    case .otherCA(nil): "the host there does not show the CA that the token names; check the address"
    case .notSignedByPinnedCA:
      "the host there shows the CA that the token names but no certificate made by it: do not trust that address"
    case .noPool: "this host is in no pool: run `weft pool join` first"
    }
  }
}
