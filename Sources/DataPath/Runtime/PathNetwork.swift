import Wire

/// How frames of a network travel inside ESP.
package enum PathEncapsulation: Hashable, Sendable {
  /// VXLAN in UDP (RFC 7348), next header 17.
  case vxlan
  /// GRE with a key and Ethernet as its payload (RFC 2784, RFC 2890), next header 47.
  case gre
}

/// A network that the packet path is to carry.
package struct PathNetwork: Hashable, Sendable {
  /// VXLAN network identifier or GRE key.
  package var vni: VNI
  package var encapsulation: PathEncapsulation
  /// The TAP device in the network's bridge, in the caller's network namespace. It exists: persistent, made with
  /// IFF_TAP, IFF_NO_PI, IFF_VNET_HDR and IFF_MULTI_QUEUE.
  package var tap: String
  /// Of the guests: bytes of an IP packet.
  package var mtu: Int

  package init(vni: VNI, encapsulation: PathEncapsulation, tap: String, mtu: Int) {
    self.vni = vni
    self.encapsulation = encapsulation
    self.tap = tap
    self.mtu = mtu
  }
}

/// Where frames of an open network go, with all changes, also those that are not published yet.
package struct PathForwarding: Hashable, Sendable {
  package var network: PathNetwork
  /// Guests of other hosts.
  package var remotes: [MACAddress: VTEP]
  /// Hosts that get broadcast, multicast and frames to unknown addresses.
  package var flood: Set<VTEP>

  package init(network: PathNetwork, remotes: [MACAddress: VTEP] = [:], flood: Set<VTEP> = []) {
    self.network = network
    self.remotes = remotes
    self.flood = flood
  }

  package var mtu: Int { network.mtu }
  package var encapsulation: PathEncapsulation { network.encapsulation }
}
