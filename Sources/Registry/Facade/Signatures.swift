import Wire

extension Registry {
  // MARK: Start and persistence

  /// Pool records from disk, in any order; what does not verify is told and left out.
  package mutating func load(poolRecords: [[UInt8]], floors: [Floor], verify: Verify) -> [Effect] { [] }

  /// This host's last statements of an earlier boot, from disk (`ownStatements`). Peers' copies come by sync.
  package mutating func seed(ownStatements bytes: [UInt8]) -> [Effect] { [] }

  /// The first sync is over (or nobody can be reached): levels found so far become claims, as the pool knew them.
  package mutating func synced(now: Instant) -> [Effect] { [] }

  /// All that this boot has to say for a start has been said (claims by `synced`, each network's status, the host
  /// record): others replace the earlier boot's statements by these.
  package mutating func markComplete(now: Instant) -> [Effect] { [] }

  package var poolRecords: [[UInt8]] { [] }
  package var floors: [Floor] { [] }
  /// What `seed` takes after a restart; changes with `ownVersion`.
  package var ownStatements: [UInt8] { [] }
  package var ownVersion: Version { 0 }
  package var poolHash: UInt64 { 0 }

  // MARK: This host's statements

  package mutating func setHostRecord(_ record: HostRecord, now: Instant) -> [Effect] { [] }
  /// The signed batch that a hello carries; nil before the first `flush` after `setHostRecord`.
  package var signedHostRecord: [UInt8]? { nil }
  package mutating func setNetworkStatus(_ network: NetworkID, _ standing: NetworkStanding, now: Instant) -> [Effect] {
    []
  }
  package mutating func removeNetworkStatus(_ network: NetworkID, now: Instant) -> [Effect] { [] }

  // MARK: VIFs here

  /// A VIF is in the network's bridge, or more became known of it. `mac` and `vm` are what the hypervisor says.
  package mutating func attach(
    vif: String, network: NetworkID, isNetback: Bool, mac: MACAddress?, vm: String?, now: Instant
  ) -> [Effect] { [] }
  /// The port's carrier. `isChange` is false for a level found at start or by a dump.
  package mutating func carrier(vif: String, isUp: Bool, isChange: Bool, now: Instant) -> [Effect] { [] }
  /// A frame from `mac` came in through the VIF; `ips` are the addresses it announced, if it was ARP or ND.
  package mutating func frame(vif: String, mac: MACAddress, ips: [IPAddress], now: Instant) -> [Effect] { [] }
  /// The VIF left the bridge.
  package mutating func detach(vif: String, now: Instant) -> [Effect] { [] }

  // MARK: Pool records

  package mutating func admit(_ host: HostID, certificate: [UInt8], now: Instant, sign: Sign) throws(RegistryError)
    -> [Effect]
  { [] }
  /// Evicts; `payload` is opaque here (new CA, hosts it vouches for).
  package mutating func revoke(_ host: HostID, payload: [UInt8], now: Instant, sign: Sign) throws(RegistryError)
    -> [Effect]
  { [] }
  package mutating func recordLeft(_ host: HostID, now: Instant, sign: Sign) throws(RegistryError) -> [Effect] { [] }
  package mutating func createNetwork(_ spec: NetworkSpec, now: Instant, sign: Sign) throws(RegistryError) -> [Effect] {
    []
  }
  package mutating func setNetwork(_ network: NetworkID, _ change: NetworkChange, now: Instant, sign: Sign)
    throws(RegistryError) -> [Effect]
  { [] }
  package mutating func deleteNetwork(_ network: NetworkID, now: Instant, sign: Sign) throws(RegistryError) -> [Effect] {
    []
  }
  package func certificate(of host: HostID) -> [UInt8]? { nil }
  /// All revocations in the order of their stamps.
  package var revocations: [Revocation] { [] }

  // MARK: Other hosts

  /// What membership says of a host. nil: not judged yet, which counts as visible.
  package mutating func hostState(_ host: HostID, _ state: MemberState?, boot: Boot?, now: Instant) -> [Effect] { [] }
  /// A hello's host record batch, whose signature the shell has checked.
  package mutating func hello(hostRecord bytes: [UInt8], now: Instant) -> [Effect] { [] }
  /// Frames of an opened packet: advert, have, want, batch, record, recordsSeen; others are passed over.
  package mutating func receive(_ frame: GossipFrame, from host: HostID, now: Instant, sign: Sign, verify: Verify)
    -> [Effect]
  { [] }
  /// Once per turn, after its inputs.
  package mutating func flush(now: Instant, sign: Sign) -> [Effect] { [] }
  package mutating func advance(to now: Instant) -> [Effect] { [] }
  package var deadline: Instant? { nil }
  /// For the shell's pings and acks.
  package func advert(incarnation: Incarnation) -> GossipFrame {
    .advert(boot: boot, version: 0, incarnation: incarnation, poolHash: 0)
  }

  // MARK: Sync over TCP

  package func syncRequest(to host: HostID) -> [UInt8] { [] }
  /// Answers a request of `syncRequest` or `syncFinish`.
  package mutating func syncRespond(_ request: [UInt8], from host: HostID, now: Instant, sign: Sign, verify: Verify)
    -> (response: [UInt8], effects: [Effect])
  { ([], []) }
  /// Takes up an answer; `next` is a further request for the same connection.
  package mutating func syncFinish(_ response: [UInt8], from host: HostID, now: Instant, sign: Sign, verify: Verify) -> (
    next: [UInt8]?, effects: [Effect]
  ) { (nil, []) }

  // MARK: Views

  package var networks: [NetworkView] { [] }
  package func network(_ id: NetworkID) -> NetworkView? { nil }
  /// By UUID or by name.
  package func findNetwork(_ text: String) throws(RegistryError) -> NetworkView { throw .noSuchNetwork(text) }
  package var hosts: [HostView] { [] }
  package func hostView(_ host: HostID) -> HostView? { nil }
  /// Sorted by network and MAC.
  package var bindings: [BindingView] { [] }
  package func bindings(of network: NetworkID) -> [BindingView] { [] }
  /// The owners of a network's MACs, for the data path.
  package func owners(of network: NetworkID) -> [MACAddress: Binding] { [:] }
  package func binding(_ network: NetworkID, _ mac: MACAddress) -> Binding? { nil }
  /// The other hosts to which broadcasts of the network go.
  package func floodList(_ network: NetworkID) -> [HostID] { [] }
  /// The ports on which MACs of the network are live here.
  package func localPorts(of network: NetworkID) -> [MACAddress: String] { [:] }
  /// The smallest underlay MTU of the visible hosts; nil if none has told.
  package var smallestUnderlayMTU: UInt32? { nil }
}
