import Wire

/// Why a certificate is not taken as that of a member of this pool.
package enum TrustError: Error, Hashable, CustomStringConvertible {
  /// Not X.509 in DER, or not readable as such.
  case malformed
  /// A certificate, but not one that Weft makes for hosts.
  case notHostCertificate(reason: String)
  /// Self-signed: a host that has not joined any pool, or lost its certificate.
  case notJoined(HostID)
  /// Signed by another pool's CA, or by none that this pool knows.
  case otherPool(name: String?)
  /// Signed by a CA with this pool's ID that is not known here: one of the two sides has missed an eviction.
  case unknownCA(HostID)
  case revoked(HostID)
  /// Signed by a CA of this pool that was replaced by an eviction, and not on the list made at that moment.
  case notVouched(HostID)

  package var description: String {
    switch self {
    case .malformed: "The certificate cannot be read as X.509: only agents of Weft can talk here."
    case .notHostCertificate(let reason): "The certificate is not a host certificate of Weft (\(reason))."
    case .notJoined(let host):
      "Host \(host) has not joined this pool: run `weft pool join` on it with a token of `weft pool invite`."
    case .otherPool(let name?):
      "The host belongs to another pool, '\(name)': let it leave that pool with `weft pool leave` before it joins this one."
    case .otherPool(nil):
      "The host's certificate was signed by nobody that this pool knows: it belongs to another pool."
    case .unknownCA(let host):
      "Host \(host) has a certificate of a CA of this pool that is not known here yet: try again after the next sync."
    case .revoked(let host):
      "Host \(host) was evicted from this pool. To take the machine back, empty its state directory and join it anew."
    case .notVouched(let host):
      "Host \(host) was admitted with a CA key that an eviction has replaced: run `weft pool join` on it with a new token."
    }
  }
}
