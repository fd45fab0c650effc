import Kernel
import Namespaces
import Wire

/// Hosts on one underlay (192.0.2.0/24 or 2001:db8::/64), each with a network's bridge, VXLAN device and one guest. The
/// underlay is a bridge in a namespace of its own.
final class TestPool {
  struct Member {
    let host: Namespace
    let guest: Namespace
    let kernel: KernelNetwork
    let bridge: Int32
    let tunnel: Int32
    let vtep: VTEP
    let guestMAC: MACAddress
    let guestAddress: String
  }

  let underlay: Namespace
  private(set) var members: [Member] = []

  init(_ count: Int, isV6: Bool = false) throws {
    underlay = try Namespace()
    try underlay.run { try sh("ip link add lan type bridge mcast_snooping 0 && ip link set lan up") }
    for number in 1...count { members.append(try makeMember(number, isV6)) }
  }

  private func makeMember(_ number: Int, _ isV6: Bool) throws -> Member {
    let host = try Namespace()
    try underlay.connect("h\(number)", to: host, "eth0", mtu: 1600)
    try underlay.run { try sh("ip link set h\(number) master lan") }
    let address = isV6 ? "2001:db8::\(number)" : "192.0.2.\(number)"
    let guest = try Namespace()
    try host.connect("vif\(number).0", to: guest, "eth0")
    let mac = MACAddress.test(UInt64(0x100 + number))
    try guest.run {
      try sh("ip link set eth0 address \(mac) mtu 1446 && ip addr add 198.51.100.\(number)/24 dev eth0")
    }
    return try host.run {
      try sh("ip addr add \(address)/\(isV6 ? "64 nodad" : "24") dev eth0")
      let kernel = try KernelNetwork()
      let bridge = try kernel.ensureBridge(Specs.bridge()).index
      let tunnel = try kernel.ensureVXLAN(try Specs.vxlan(address)).index
      if let port = try kernel.link(named: "vif\(number).0") { try kernel.setMaster(port.index, bridge: bridge) }
      return Member(
        host: host, guest: guest, kernel: kernel, bridge: bridge, tunnel: tunnel, vtep: try .test(address),
        guestMAC: mac, guestAddress: "198.51.100.\(number)")
    }
  }

  /// Every member floods to every other one.
  func floodAll() {
    for member in members {
      for other in members where other.vtep != member.vtep {
        _ = member.kernel.apply([.addFlood(tunnel: member.tunnel, other.vtep)])
      }
    }
  }
}
