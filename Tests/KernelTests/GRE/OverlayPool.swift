import Agent
import Kernel
import Namespaces
import Overlay
import Registry
import Testing
import Wire

/// Hosts on one underlay that carry networks as the agent does: wanted state, plan, applier. Each host has a guest in
/// each network.
final class OverlayPool {
  struct Network {
    let id: NetworkID
    let name: String
    let vni: VNI
    let encapsulation: Encapsulation
    /// Third number of the guests' addresses.
    let number: Int

    init(_ number: Int, _ encapsulation: Encapsulation) throws {
      id = NetworkID(high: 0x1111_1111_1111_4111, low: 0x8111_1111_1111_1100 | UInt64(number))
      name = "n\(number)"
      vni = try .test(76 + UInt32(number))
      self.encapsulation = encapsulation
      self.number = number
    }
  }

  struct Member {
    let id: HostID
    let host: Namespace
    /// One for each network, in the same order.
    let guests: [Namespace]
    let applier: OverlayApplier
    let kernel: KernelNetwork
    var vtep: VTEP
  }

  let underlay: Namespace
  let isV6: Bool
  let networks: [Network]
  private(set) var members: [Member] = []
  private let mtu: Int

  /// Every host is made and knows nothing of the others yet.
  init(_ count: Int, _ encapsulations: [Encapsulation] = [.gre], isV6: Bool = false, mtu: Int = 1600) throws {
    self.isV6 = isV6
    self.mtu = mtu
    networks = try encapsulations.enumerated().map { try Network($0.offset + 1, $0.element) }
    underlay = try Namespace()
    try underlay.run { try sh("ip link add lan mtu \(mtu) type bridge mcast_snooping 0 && ip link set lan up") }
    for number in 1...count { members.append(try makeMember(number)) }
    for index in members.indices {
      try settle(index) { input, _ in input.flood = [] }
      try members[index].host.run {
        for network in networks {
          try sh(
            "ip link set vif\(index + 1).\(network.number) master \(network.name) && ip link set dev \(network.name) up"
          )
        }
      }
    }
  }

  static func hostID(_ number: Int) -> HostID { HostID(high: UInt64(number) << 29, low: 7) }

  func address(_ number: Int) throws -> VTEP { try .test(isV6 ? "2001:db8::\(number)" : "192.0.2.\(number)") }

  static func guestMAC(_ member: Int, _ network: Network) -> MACAddress {
    .test(UInt64(0x100 * network.number + member + 1))
  }

  static func guestAddress(_ member: Int, _ network: Network) -> String {
    "203.0.113.\(network.number * 16 + member + 1)"
  }

  private func makeMember(_ number: Int) throws -> Member {
    let host = try Namespace()
    try underlay.connect("h\(number)", to: host, "eth0", mtu: mtu)
    try underlay.run { try sh("ip link set h\(number) master lan") }
    let vtep = try address(number)
    var guests: [Namespace] = []
    for network in networks {
      let guest = try Namespace()
      try guest.run { try sh("echo 1 > /proc/sys/net/ipv6/conf/default/disable_ipv6") }
      try host.connect("vif\(number).\(network.number)", to: guest, "eth0")
      try guest.run {
        try sh(
          "ip link set eth0 address \(Self.guestMAC(number - 1, network)) mtu 1446 && ip addr add \(Self.guestAddress(number - 1, network))/24 dev eth0"
        )
      }
      guests.append(guest)
    }
    return try host.run {
      try sh("ip addr add \(vtep)/\(isV6 ? "64 nodad" : "24") dev eth0")
      let kernel = try KernelNetwork()
      return Member(
        id: Self.hostID(number), host: host, guests: guests, applier: OverlayApplier(kernel: kernel, pool: "test"),
        kernel: kernel, vtep: vtep)
    }
  }

  /// What the member wants of the network when it knows all others, and floods to all of them.
  func input(_ index: Int, _ network: Network) -> NetworkPlanInput {
    var input = NetworkPlanInput(
      id: network.id, name: network.name, vni: network.vni, bridge: network.name, encapsulation: network.encapsulation,
      encryption: .off, mtu: 1446, localVTEP: members[index].vtep)
    for other in members where other.id != members[index].id {
      input.peers[other.id] = other.vtep
      input.flood.insert(other.vtep)
    }
    return input
  }

  func desired(_ index: Int, _ change: (inout NetworkPlanInput, Network) -> Void = { _, _ in }) -> OverlayState {
    let inputs = networks.map { network in
      var input = input(index, network)
      change(&input, network)
      return input
    }
    return OverlayState.desired(inputs, pool: "test", host: members[index].id, mechanisms: Set(Mechanism.allCases))
      .state
  }

  /// Brings the member to what it wants, with a change of that.
  @discardableResult
  func settle(_ index: Int, _ change: (inout NetworkPlanInput, Network) -> Void = { _, _ in }) throws -> Int {
    let wanted = desired(index, change)
    return try members[index].host.run {
      let outcome = try members[index].applier.reconcile(to: wanted)
      #expect(outcome.errors.isEmpty && outcome.problems.isEmpty)
      return outcome.changeCount
    }
  }

  func settleAll() throws { for index in members.indices { try settle(index) } }

  /// The member has another address on the underlay from now on; nobody was told yet.
  func move(_ index: Int, to number: Int) throws {
    let (old, new) = (members[index].vtep, try address(number))
    try members[index].host.run {
      try sh("ip addr del \(old)/\(isV6 ? 64 : 24) dev eth0 && ip addr add \(new)/\(isV6 ? "64 nodad" : "24") dev eth0")
    }
    members[index].vtep = new
  }

  /// The name of the tunnel from one to another.
  static func tunnel(to index: Int, _ network: Network) -> String {
    OverlayNames.gre(network.vni, peer: hostID(index + 1))
  }

  func pings(from index: Int, to other: Int, _ network: Int = 0) throws -> Bool {
    try members[index].guests[network].run { KernelTests.pings(Self.guestAddress(other, networks[network])) }
  }

  /// Guests resolve their addresses anew.
  func forgetNeighbours() throws {
    for guest in members.flatMap(\.guests) { try guest.run { try sh("ip neigh flush all") } }
  }
}
