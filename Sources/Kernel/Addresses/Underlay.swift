import Wire

/// Where this host's tunnels end: an address and the interface that has it.
package struct Underlay: Hashable, Sendable {
  package var interface: Int32
  package var name: String
  package var address: VTEP
  package var mtu: Int
  package var isUp: Bool
}

/// What a look for the underlay found.
package enum UnderlayFinding: Hashable, Sendable {
  case ready(Underlay)
  /// The address is there, but the kernel still looks whether another machine has it; the sentence says so.
  case pending(String)
}
