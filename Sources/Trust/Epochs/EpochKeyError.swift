/// Why no keys of the data path can be derived with a host.
package enum EpochKeyError: Error, Hashable, Sendable, CustomStringConvertible {
  /// The host's public key is not 32 bytes, or one of small order, with which everybody knows the shared secret
  /// (RFC 7748 section 6.1).
  case badPeerKey

  package var description: String {
    switch self {
    case .badPeerKey:
      "The key that this host tells for its data path cannot be used: restart its agent; if that does not help, evict it."
    }
  }
}
