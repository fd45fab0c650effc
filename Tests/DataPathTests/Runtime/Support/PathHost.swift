import CLinux
import Glibc
import Namespaces
import Testing
import Wire

@testable import DataPath

/// A host with one network: a bridge, the packet path's TAP, and a guest behind a veth.
final class PathHost {
  static let vni = VNI(77)
  static let tap = "wt77"

  let namespace: Namespace
  let guest: Namespace
  let number: Int
  let vtep: VTEP
  let guestMAC: MACAddress
  let path: DataPath
  var network: PathNetwork

  /// The host's address is number `number` of its documentation network, and so is the guest's.
  init(
    _ number: Int, in namespace: Namespace, isV6: Bool = false, encapsulation: PathEncapsulation = .vxlan,
    queues: Int = 1, mtu: Int = 1380, provider: (any AEADProvider)? = nil
  ) throws {
    self.namespace = namespace
    self.number = number
    vtep = try Self.address(number, isV6)
    guestMAC = try #require(MACAddress(0x0200_5e00_0000 | UInt64(number)))
    guest = try Namespace.quiet()
    network = PathNetwork(vni: try #require(Self.vni), encapsulation: encapsulation, tap: Self.tap, mtu: mtu)
    path = try namespace.run { try DataPath(DataPath.Settings(queues: queues, provider: provider)) }
    try namespace.run {
      try sh("ip link add br0 type bridge mcast_snooping 0 && ip link set br0 up")
      try Self.makeTap(Self.tap, mtu: mtu)
    }
    try namespace.connect("vif", to: guest, "eth0", mtu: mtu)
    try namespace.run { try sh("ip link set vif master br0") }
    try guest.run {
      try sh("ip link set eth0 address \(guestMAC)")
      try sh("ip addr add 198.51.100.\(number)/24 dev eth0 && ip addr add 2001:db8:1::\(number)/64 dev eth0 nodad")
    }
  }

  static func address(_ number: Int, _ isV6: Bool) throws -> VTEP {
    try #require(IPAddress(isV6 ? "2001:db8::\(number)" : "192.0.2.\(number)"))
  }

  /// A persistent TAP in the bridge, in the calling thread's namespace.
  static func makeTap(_ name: String, mtu: Int = 1380) throws {
    let descriptor = weft_tun_create(name)
    try #require(descriptor >= 0)
    try #require(weft_tun_set_persistent(descriptor, 1) == 0)
    close(descriptor)
    try sh("ip link set \(name) mtu \(mtu) master br0 up")
  }

  /// Gives the underlay interface its address and binds to it.
  func bind() throws {
    try namespace.run {
      try sh("ip addr add \(vtep)/\(vtep.isV6 ? "64 nodad" : "24") dev u")
      try path.bind(to: vtep)
      path.publish()
    }
  }

  /// Opens the network towards hosts.
  func open(to others: [PathHost]) throws {
    try namespace.run { try path.open(network) }
    for other in others {
      path.addFlood(other.vtep, in: network.vni)
      path.setRemote(other.guestMAC, other.vtep, in: network.vni)
    }
    path.publish()
    // The kernel opens a port of a bridge a moment after it has a carrier, which a TAP has once it is attached to.
    try namespace.run {
      let closed = "ip -d link show master br0 | grep bridge_slave | grep -vq 'state forwarding'"
      try #require(eventually { (try? sh("! (\(closed))")) != nil })
    }
  }

  var traffic: PathCounters.Network { path.counters().networks[network.vni] ?? .init() }

  func drops(_ reason: DropReason) -> UInt64 { path.counters().drops[reason] ?? 0 }

  func pings(_ other: PathHost, count: Int = 3, size: Int = 56) -> Bool {
    ["198.51.100.\(other.number)", "2001:db8:1::\(other.number)"].allSatisfy { address in
      do {
        try guest.run { try ping(address, count: count, size: size) }
        return true
      } catch {
        print("\(error) \(traffic) \(path.counters().drops)")
        return false
      }
    }
  }
}
