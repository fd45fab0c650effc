import Glibc
import Kernel
import Namespaces
import Testing
import Wire

/// Two hosts, joined by a pair of veths, each with a tunnel device that ends at the other one. Addresses inside the
/// tunnel are 198.51.100.1 and .2; nobody has to ask for a MAC, so a ping is one packet.
final class TunnelPair {
  enum Kind: CaseIterable {
    case vxlan
    case gre
  }

  static let port: UInt16 = 7679
  static let number: UInt32 = 0x1_2345

  let a: Namespace
  let b: Namespace
  let isV6: Bool
  let kind: Kind
  let vtepA: VTEP
  let vtepB: VTEP
  /// What comes to b from the wire.
  let witness: UnderlayWitness
  /// What takes ESP in UDP, while somebody holds it.
  var sockets: [ESPInUDPSocket] = []

  var traffic: XFRMPolicy.Traffic { kind == .vxlan ? .udp(port: Self.port) : .gre(key: Self.number) }

  init(_ kind: Kind = .vxlan, isV6: Bool = false) throws {
    self.kind = kind
    self.isV6 = isV6
    (a, b) = (try Namespace(), try Namespace())
    let addresses = isV6 ? ["2001:db8::1", "2001:db8::2"] : ["192.0.2.1", "192.0.2.2"]
    (vtepA, vtepB) = (try .test(addresses[0]), try .test(addresses[1]))
    for host in [a, b] {
      // No chatter of the tunnel devices' own.
      try host.run { try sh("echo 1 > /proc/sys/net/ipv6/conf/default/disable_ipv6") }
    }
    try a.connect("eth0", to: b, "eth0", mtu: 1600)
    for (index, host) in [a, b].enumerated() {
      let (own, other) = (addresses[index], addresses[1 - index])
      let create =
        switch kind {
        case .vxlan:
          "ip link add tun type vxlan id \(Self.number) local \(own) remote \(other) dstport \(Self.port)"
        case .gre:
          "ip link add tun type \(isV6 ? "ip6gretap encaplimit none" : "gretap") local \(own) remote \(other) "
            + "key \(Self.number)"
        }
      let number = index + 1
      try host.run {
        try sh(
          """
          set -e
          echo 0 > /proc/sys/net/ipv6/conf/eth0/disable_ipv6
          ip addr add \(own)/\(isV6 ? "64 nodad" : "24") dev eth0
          \(create)
          ip link set tun address \(MACAddress.test(UInt64(number))) mtu 1400 up
          ip addr add 198.51.100.\(number)/24 dev tun
          ip neigh add 198.51.100.\(3 - number) lladdr \(MACAddress.test(UInt64(3 - number))) dev tun
          """)
      }
    }
    // The underlay's neighbours are known before a test sends something that has to be there within a second.
    let isThere = try a.run { pings(addresses[1]) }
    witness = try b.run { try UnderlayWitness("eth0") }
    try #require(isThere)
  }

  /// Whether the hosts reach each other through the tunnel.
  func isOpen() throws -> Bool { try a.run { (try? sh("ping -c 1 -W 1 198.51.100.2")) != nil } }

  /// Puts three packets into the tunnel at a, one after the other. Whether an answer comes is not the question.
  func send() throws { try a.run { _ = try? sh("ping -c 3 -i 0.05 -W 0.1 198.51.100.2") } }

  /// Packets that came out of the tunnel device at b.
  func arrived() throws -> Int {
    let line = try b.run { try sh("sed -n 's/^ *tun: *//p' /proc/net/dev") }
    return try #require(line.split(separator: " ").dropFirst().first.flatMap { Int($0) })
  }

  func blocks() -> [XFRMPolicy] {
    [XFRMPolicy.Direction.input, .output].map {
      XFRMPolicy(direction: $0, traffic: traffic, action: .block(isV6: isV6))
    }
  }

  /// The policies of one host: a, or else b.
  func protection(atA: Bool, spi: UInt32) -> [XFRMPolicy] {
    let (own, other) = atA ? (vtepA, vtepB) : (vtepB, vtepA)
    return [
      XFRMPolicy(
        direction: .input, traffic: traffic, action: .protect(source: other, destination: own, spi: nil)),
      XFRMPolicy(
        direction: .output, traffic: traffic, action: .protect(source: own, destination: other, spi: spi)),
    ]
  }

  /// Keys in both directions, and every policy, on both hosts; with what takes ESP in UDP if it is to go so.
  func protect(spi: UInt32 = 0x1000, isInUDP: Bool = false) throws -> (a: KernelXFRM, b: KernelXFRM) {
    let kernelA = try a.run { try KernelXFRM() }
    let kernelB = try b.run { try KernelXFRM() }
    for (kernel, isA) in [(kernelA, true), (kernelB, false)] {
      #expect(kernel.replace(blocks()).isEmpty)
      try kernel.add(state(fromA: true, spi: spi, isInUDP: isInUDP))
      try kernel.add(state(fromA: false, spi: spi + 1, isInUDP: isInUDP))
      #expect(kernel.replace(protection(atA: isA, spi: isA ? spi : spi + 1)).isEmpty)
    }
    if isInUDP {
      sockets = [
        try a.run { try ESPInUDPSocket(local: vtepA) }, try b.run { try ESPInUDPSocket(local: vtepB) },
      ]
    }
    return (kernelA, kernelB)
  }

  /// Puts so many packets into the tunnel at a that come to b's interface and no further (IPv4).
  func holdBack(_ count: Int) throws -> [SeenPacket] {
    try b.run {
      try sh(
        """
        nft 'add table ip held; add chain ip held c { type filter hook prerouting priority -400; }
        add rule ip held c ip saddr \(vtepA) drop'
        """)
    }
    _ = witness.receive()
    for _ in 0..<count { try a.run { _ = try? sh("ping -c 1 -W 0.1 198.51.100.2") } }
    let held = witness.receive().compactMap(SeenPacket.init)
    try b.run { try sh("nft delete table ip held") }
    return held
  }

  /// The SA from a to b, or the one back.
  func state(fromA: Bool, spi: UInt32, isInUDP: Bool = false) -> XFRMState {
    let (source, destination) = fromA ? (vtepA, vtepB) : (vtepB, vtepA)
    let seed = UInt8(truncatingIfNeeded: spi)
    return XFRMState(
      source: source, destination: destination, spi: spi,
      key: (0..<XFRMState.keyLength).map { UInt8($0) ^ seed ^ (fromA ? 0x80 : 0) },
      encapsulation: isInUDP ? .weft : nil)
  }
}

extension KernelXFRM {
  /// What the kernel counted at the SA.
  func use(of spi: UInt32) throws -> XFRMUse { try #require(try states().first { $0.state.spi == spi }).use }
}

/// Sees every frame that comes in on an interface, and can send there.
final class UnderlayWitness {
  private let tap: VIFTap

  /// In the calling thread's namespace.
  init(_ interface: String) throws {
    tap = try VIFTap(interface: try #require(try KernelNetwork().link(named: interface)).index, mode: .discover)
    // Without its filter the socket shows frames whole.
    var nothing: Int32 = 0
    try #require(
      setsockopt(tap.descriptor, SOL_SOCKET, SO_DETACH_FILTER, &nothing, socklen_t(MemoryLayout<Int32>.size)) == 0)
  }

  func send(_ frame: [UInt8]) { #expect(Glibc.send(tap.descriptor, frame, frame.count, 0) == frame.count) }

  func receive() -> [[UInt8]] {
    var frames: [[UInt8]] = []
    var buffer = [UInt8](repeating: 0, count: 4096)
    while true {
      let count = recv(tap.descriptor, &buffer, buffer.count, 0)
      if count <= 0 { return frames }
      frames.append(Array(buffer[..<count]))
    }
  }
}

/// An IP packet in an Ethernet frame, as far as tests ask.
struct SeenPacket {
  let frame: [UInt8]
  /// Where what IP carries starts.
  let start: Int
  let ipProtocol: UInt8

  init?(_ frame: [UInt8]) {
    guard frame.count >= 54 else { return nil }
    switch (frame[12], frame[13]) {
    case (8, 0): (start, ipProtocol) = (34, frame[23])
    case (0x86, 0xdd): (start, ipProtocol) = (54, frame[20])
    default: return nil
    }
    guard frame.count >= start + 12 else { return nil }
    self.frame = frame
  }

  /// By itself.
  var isESP: Bool { ipProtocol == 50 }
  /// From the port of both ends to the port of both ends.
  var isESPInUDP: Bool {
    ipProtocol == 17 && number(0, 2) == ESPInUDPSocket.port && number(2, 2) == ESPInUDPSocket.port && number(8, 4) != 0
  }
  func isESP(inUDP: Bool) -> Bool { inUDP ? isESPInUDP : isESP }
  /// Where ESP starts.
  var espStart: Int { isESPInUDP ? start + 8 : start }
  var spi: UInt32 { number(espStart - start, 4) }
  /// A tunnel packet without ESP.
  var isClear: Bool { ipProtocol == 47 || ipProtocol == 17 && number(2, 2) == TunnelPair.port }

  /// A field of what IP carries.
  func number(_ offset: Int, _ size: Int) -> UInt32 {
    frame[(start + offset)..<(start + offset + size)].reduce(0) { $0 << 8 | UInt32($1) }
  }
}
