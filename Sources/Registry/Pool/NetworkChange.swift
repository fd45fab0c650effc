import Wire

/// A change of one mutable field of a network.
package enum NetworkChange: Hashable, Sendable {
  case name(NetworkName)
  case mtu(NetworkMTU)
  /// A named option; an empty value removes it.
  case option(String, String)
}

/// An evicted host and what was written with its eviction.
package struct Revocation: Hashable, Sendable {
  package var host: HostID
  package var author: HostID
  package var payload: [UInt8]
}
