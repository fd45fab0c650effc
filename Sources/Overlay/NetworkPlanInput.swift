import Registry
import Wire

/// Everything about one network that decides how it stands on this host.
package struct NetworkPlanInput: Hashable, Sendable {
  package var id: NetworkID
  package var name: String
  package var vni: VNI
  package var bridge: String
  package var encapsulation: Encapsulation
  package var encryption: Encryption
  package var mtu: Int
  /// This host's end of the tunnels.
  package var localVTEP: VTEP
  /// Where the tunnels to the other members of the pool end, as far as that is known, whether or not they have a VIF in
  /// the network.
  package var peers: [HostID: VTEP]
  /// MACs on other hosts. A hidden binding still counts here.
  package var remote: [MACAddress: VTEP]
  /// MACs that live here, with the interface that they are behind.
  package var local: [MACAddress: String]
  /// The hosts that have a VIF in the network, this one left out.
  package var flood: Set<VTEP>
  /// An earlier network has its VNI or bridge: it carries no traffic. The sentence says which.
  package var conflict: String?

  package init(
    id: NetworkID, name: String, vni: VNI, bridge: String, encapsulation: Encapsulation, encryption: Encryption,
    mtu: Int, localVTEP: VTEP, peers: [HostID: VTEP] = [:], remote: [MACAddress: VTEP] = [:],
    local: [MACAddress: String] = [:], flood: Set<VTEP> = [], conflict: String? = nil
  ) {
    self.id = id
    self.name = name
    self.vni = vni
    self.bridge = bridge
    self.encapsulation = encapsulation
    self.encryption = encryption
    self.mtu = mtu
    self.localVTEP = localVTEP
    self.peers = peers
    self.remote = remote
    self.local = local
    self.flood = flood
    self.conflict = conflict
  }
}
