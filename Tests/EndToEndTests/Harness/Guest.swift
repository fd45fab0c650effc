import Glibc
import Testing

/// A VM: a namespace whose `eth<n>` is a bridge with the guest's MAC. The bridge's one connected port is the guest's end
/// of a VIF. A guest that moves keeps its stack, hence its connections, and changes that port.
final class Guest {
  let number: Int
  let namespace: Namespace
  let mac: String
  private(set) var vifs: [VIF] = []
  private var portCount = 0
  private var devices: Set<Int> = []
  private var sockets: [Int: PacketSocket] = [:]

  var ipv4: String { address(0) }
  var ipv6: String { "fd07::\(String(number, radix: 16))" }

  init(number: Int, namespace: Namespace, mac: String?) throws {
    self.number = number
    self.namespace = namespace
    self.mac = mac ?? "00:16:3e:00:00:\(hexByte(number))"
    // Only eth<n> speaks: its ports would send frames with MACs of their own.
    try namespace.sysctl("net.ipv6.conf.default.disable_ipv6=1")
  }

  /// The guest's MAC on its VIF number `device`.
  func mac(_ device: Int) -> String {
    device == 0 ? mac : "02:16:3e:00:\(hexByte(device)):\(hexByte(number))"
  }

  /// The guest's address on its VIF number `device`.
  func address(_ device: Int) -> String { "10.7.\(device).\(number)" }

  // MARK: VIFs

  /// Puts a VIF of the guest into a network's bridge on a host, as the tools of Xen do before the guest runs there: it is
  /// up, and has no carrier until the guest connects.
  /// - Parameters:
  ///   - device: the Y of `vifX.Y`.
  ///   - bridge: another bridge than the network's own.
  @discardableResult
  func plug(
    into host: TestHost, _ network: NetworkView, device: Int = 0, name: String? = nil, bridge: String? = nil
  ) throws -> VIF {
    portCount += 1
    let domain = number * 10 + portCount
    let vif = VIF(name: name ?? "vif\(domain).\(device)", host: host, port: "port\(portCount)", device: device)
    if devices.insert(device).inserted { try makeInterface(device, mtu: network.mtu) }
    // Different indexes: Linux defers news of the carrier of a device whose peer has its own index by up to a second.
    let index = 10_000 + 100 * number + 2 * portCount
    try must(
      ["ip", "link", "add", vif.name, "netns", host.namespace.name, "index", "\(index)"]
        + ["address", "fe:ff:ff:ff:ff:ff", "mtu", "\(network.mtu)", "type", "veth"]
        + ["peer", "name", vif.port, "netns", namespace.name, "index", "\(index + 1)", "mtu", "\(network.mtu)"])
    try host.namespace.ip(batch: [
      "link set \(vif.name) addrgenmode none",
      "link set \(vif.name) master \(bridge ?? network.bridge)",
      "link set \(vif.name) up",
    ])
    vifs.append(vif)
    return vif
  }

  private func makeInterface(_ device: Int, mtu: Int) throws {
    try namespace.ip(batch: [
      "link add eth\(device) address \(mac(device)) mtu \(mtu) type bridge stp_state 0 forward_delay 0 mcast_snooping 0",
      "address add \(address(device))/24 dev eth\(device)",
      "link set eth\(device) up",
    ])
  }

  /// The guest runs behind this VIF: what was connected loses its carrier and this one gets it, in one go.
  /// - Parameter keepingCarrier: the old VIF keeps its carrier although the guest does not run there any more.
  func connect(_ vif: VIF, keepingCarrier: Bool = false) throws {
    let others = vifs.filter { $0.device == vif.device && $0.isConnected && $0 !== vif }
    let leave = others.flatMap { other in
      keepingCarrier
        ? ["link set \(other.port) nomaster"] : ["link set \(other.port) down", "link set \(other.port) nomaster"]
    }
    try namespace.ip(
      batch: leave + ["link set \(vif.port) master eth\(vif.device)", "link set \(vif.port) up"])
    for other in others { other.isConnected = false }
    vif.isConnected = true
    try eventually(within: 3, "the guest's port forwards") {
      try must(["bridge", "-n", namespace.name, "link", "show", "dev", vif.port]).contains("state forwarding")
    }
  }

  /// The guest is suspended: the VIF loses its carrier.
  func disconnect(_ vif: VIF) throws {
    try namespace.ip("link", "set", vif.port, "down")
    vif.isConnected = false
  }

  /// The VIF is gone from the host, as after the end of a domain.
  func unplug(_ vif: VIF) throws {
    if try namespace.link(vif.port) != nil { try namespace.ip("link", "delete", vif.port) }
    vifs.removeAll { $0 === vif }
  }

  /// The host is gone, and the guest's VIFs there with it.
  func lost(_ host: TestHost) { vifs.removeAll { $0.host === host } }

  /// The VIF behind which the guest runs.
  func connected(_ device: Int = 0) -> VIF? { vifs.first { $0.device == device && $0.isConnected } }

  /// A live migration: the new VIF is there first, then the guest runs behind it and announces itself, then the old VIF
  /// goes.
  ///
  /// - Returns: how long the guest itself took to change over, in seconds.
  @discardableResult
  func migrate(to host: TestHost, _ network: NetworkView) throws -> Double {
    let old = connected()
    let new = try plug(into: host, network)
    let start = Clock.now
    try connect(new)
    try announce()
    let own = Clock.now - start
    if let old { try unplug(old) }
    return own
  }

  // MARK: Traffic

  /// An address of IPv6 on eth0, without duplicate detection: a real guest has it before it moves.
  func enableIPv6() throws {
    try namespace.sysctl("net.ipv6.conf.eth0.disable_ipv6=0", "net.ipv6.conf.eth0.accept_dad=0")
    try namespace.ip("address", "add", "\(ipv6)/64", "dev", "eth0", "nodad")
  }

  /// The gratuitous ARP request that Linux sends when its netfront has connected.
  func announce(device: Int = 0) throws {
    try socket(device).send(Frame.gratuitousARP(mac: mac(device), ip: address(device)))
  }

  /// A packet socket on `eth<device>`.
  func socket(_ device: Int = 0) throws -> PacketSocket {
    if let socket = sockets[device] { return socket }
    let socket = try PacketSocket(in: namespace, device: "eth\(device)")
    sockets[device] = socket
    return socket
  }

  /// A packet socket on the guest's end of the connected VIF: it sees what is not for the guest's MAC, too.
  func wire(_ device: Int = 0) throws -> PacketSocket {
    guard let vif = connected(device) else { throw Failure("guest \(number) is not connected") }
    return try PacketSocket(in: namespace, device: vif.port)
  }

  /// Whether one ping is answered within a second.
  func reaches(_ address: String) -> Bool {
    (try? run(namespace.command(["ping", "-n", "-q", "-c", "1", "-W", "1", address])).status) == 0
  }

  /// Pings `address` every `seconds` until `stop()`.
  /// - Parameter mark: bytes that each request and answer carries, 16 at most.
  func ping(_ address: String, every seconds: Double, mark: [UInt8] = [], in pool: TestPool) throws -> ContinuousPing {
    let pattern = mark.isEmpty ? [] : ["-p", mark.map { hexByte(Int($0)) }.joined()]
    return ContinuousPing(
      try pool.start(["ping", "-n", "-D", "-i", "\(seconds)"] + pattern + [address], in: namespace, name: "ping"),
      every: seconds)
  }

  func close() { sockets.removeAll() }
}

/// One interface of a guest in a host's dom0, and the guest's end of it.
final class VIF {
  let name: String
  let host: TestHost
  let port: String
  let device: Int
  fileprivate(set) var isConnected = false

  init(name: String, host: TestHost, port: String, device: Int) {
    self.name = name
    self.host = host
    self.port = port
    self.device = device
  }
}

/// Waits until every two of these guests reach each other.
func expectAllReach(_ guests: [Guest], within seconds: Double = 10) throws {
  for from in guests {
    for to in guests where to !== from {
      try eventually(within: seconds, "\(from.ipv4) reaches \(to.ipv4)") { from.reaches(to.ipv4) }
    }
  }
}

func hexByte(_ number: Int) -> String {
  let text = String(number & 0xff, radix: 16)
  return text.count == 1 ? "0" + text : text
}
