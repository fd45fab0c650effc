import CLinux
import Glibc
import Namespaces
import Testing
import Wire

@testable import DataPath

/// What cannot be sealed does not leave.
@Suite(.serialized) struct ClosedTests {
  /// What comes to port 7678 of the peer, in bytes.
  private func received(_ adversary: Adversary) -> [[UInt8]] {
    var all: [[UInt8]] = []
    var bytes = [UInt8](repeating: 0, count: 65_536)
    while true {
      let count = recv(adversary.socket, &bytes, bytes.count, Int32(MSG_DONTWAIT))
      guard count >= 0 else { return all }
      all.append(Array(bytes[..<count]))
    }
  }

  private func outbound(_ adversary: Adversary) throws -> SPI {
    let spi = try #require(SPI(0x777))
    try adversary.host.path.addOutbound(spi, to: adversary.vtep, material: Adversary.material)
    return spi
  }

  /// One broadcast by the guest.
  private func shout(_ host: PathHost) throws {
    try host.guest.run { try sh("ping -c 1 -W 1 -b 198.51.100.255 > /dev/null; true") }
  }

  @Test func withoutKeysNothingLeaves() throws {
    let adversary = try Adversary()
    let (path, vni) = (adversary.host.path, adversary.host.network.vni)
    path.addFlood(adversary.vtep, in: vni)
    path.publish()
    // Neither without an SA, nor with one that is not used, nor with one that is gone again.
    var dropped = adversary.host.drops(.noKeys)
    func expectNothing() throws {
      try shout(adversary.host)
      #expect(eventually { adversary.host.drops(.noKeys) > dropped })
      dropped = adversary.host.drops(.noKeys)
      #expect(received(adversary).isEmpty)
    }
    try expectNothing()
    let spi = try outbound(adversary)
    path.publish()
    try expectNothing()
    path.useOutbound(spi, to: adversary.vtep)
    path.publish()
    try shout(adversary.host)
    var packets: [[UInt8]] = []
    #expect(
      eventually {
        packets += received(adversary)
        return !packets.isEmpty
      })
    path.removeOutbound(spi, to: adversary.vtep)
    path.publish()
    #expect(path.associations.allSatisfy { $0.direction == .inbound })
    // What had left before.
    #expect(
      eventually {
        packets += received(adversary)
        return adversary.host.traffic.packetsOut == UInt64(packets.count)
      })
    dropped = adversary.host.drops(.noKeys)
    try expectNothing()
  }

  @Test func whatLeavesIsOnlyESPThatTheKeyOpens() throws {
    let adversary = try Adversary()
    let (path, vni) = (adversary.host.path, adversary.host.network.vni)
    let spi = try outbound(adversary)
    path.useOutbound(spi, to: adversary.vtep)
    path.addFlood(adversary.vtep, in: vni)
    path.publish()
    let inbound = try InboundSA(spi: spi.value, material: Adversary.material)
    for _ in 0..<3 { try shout(adversary.host) }
    var packets: [[UInt8]] = []
    #expect(
      eventually {
        packets += received(adversary)
        return packets.count >= 3
      })
    for var packet in packets {
      let count = packet.count
      try packet.withUnsafeMutableBytes { bytes in
        let base = try #require(bytes.baseAddress)
        guard case .payload(let offset, let length, let nextHeader) = inbound.open(base, length: count) else {
          Issue.record("not ESP of this SA")
          return
        }
        let payload = UnsafeRawBufferPointer(start: base + offset, count: length)
        let inner = try InnerHeader.read(nextHeader: nextHeader, payload)
        #expect(inner.vni == vni && inner.kind == .vxlan)
      }
    }
  }

  @Test func anUnderlayThatIsTooSmallIsCountedAndNothingIsFragmented() throws {
    let pair = try PathPair()
    for host in pair.hosts { try host.namespace.run { try sh("ip link set u mtu 1300") } }
    #expect(!pair.first.pings(pair.second, count: 1, size: 1332))
    #expect(pair.first.drops(.underlayTooSmall) > 0)
    let fragments = try pair.first.namespace.run {
      try sh("nstat -asz IpFragCreates | awk '$1 == \"IpFragCreates\" { print $2 }'")
    }
    #expect(fragments == "0\n")
    #expect(pair.first.pings(pair.second, size: 1000))
  }

  /// Anybody can send an ICMP message of a small path MTU; a route with one is what the kernel makes of it.
  @Test func aSmallPathMTUThatTheKernelHeardOfIsNotBelieved() throws {
    let pair = try PathPair()
    for host in pair.hosts {
      try host.namespace.run { try sh("ip route add 192.0.2.\(3 - host.number)/32 dev u mtu 600") }
    }
    #expect(pair.first.pings(pair.second, size: 1332))
    #expect(pair.first.path.counters().drops == [:])
  }

  @Test func aFrameThatIsLongerThanTheNetworksMTUIsDropped() throws {
    let pair = try PathPair()
    try pair.first.namespace.run { try sh("ip link set wt77 mtu 1500 && ip link set vif mtu 1500") }
    try pair.first.guest.run { try sh("ip link set eth0 mtu 1500") }
    #expect(!pair.first.pings(pair.second, count: 1, size: 1450))
    #expect(pair.first.drops(.tooLarge) > 0)
    #expect(pair.first.pings(pair.second))
  }
}
