import Namespaces
import Testing
import Wire

@testable import DataPath

/// Two hosts with the packet path on a veth of MTU 1500, which know of each other and have keys.
final class PathPair {
  let first: PathHost
  let second: PathHost

  var hosts: [PathHost] { [first, second] }

  init(isV6: Bool = false, encapsulation: PathEncapsulation = .vxlan, queues: Int = 1) throws {
    let (one, two) = (try Namespace.quiet(), try Namespace.quiet())
    try one.connect("u", to: two, "u")
    first = try PathHost(1, in: one, isV6: isV6, encapsulation: encapsulation, queues: queues)
    second = try PathHost(2, in: two, isV6: isV6, encapsulation: encapsulation, queues: queues)
    for host in hosts { try host.bind() }
    // Before the networks, for bridges send announcements of their own.
    try exchangeKeys(0)
    try first.open(to: [second])
    try second.open(to: [first])
  }

  /// SAs of a generation: made, the inbound ones first, and used.
  func exchangeKeys(_ generation: UInt32) throws {
    for (host, other) in [(first, second), (second, first)] {
      let (spi, material) = (try Self.spi(generation, to: host), Self.material(generation, to: host))
      try host.path.addInbound(spi, from: other.vtep, material: material)
      host.path.publish()
      try other.path.addOutbound(spi, to: host.vtep, material: material)
      other.path.useOutbound(spi, to: host.vtep)
      other.path.publish()
    }
  }

  /// Whether every packet that left came, sooner or later, and none was dropped. (The second host's network is opened
  /// after the first packets may have left.)
  func carriedAll() -> Bool {
    eventually {
      first.traffic.packetsOut == second.traffic.packetsIn + second.drops(.wrongNetwork)
        && second.traffic.packetsOut == first.traffic.packetsIn
    } && first.path.counters().drops == [:] && second.path.counters().drops.keys.allSatisfy { $0 == .wrongNetwork }
  }

  func removeKeys(_ generation: UInt32) throws {
    for (host, other) in [(first, second), (second, first)] {
      let spi = try Self.spi(generation, to: host)
      other.path.removeOutbound(spi, to: host.vtep)
      other.path.publish()
      host.path.removeInbound(spi)
      host.path.publish()
    }
  }

  static func spi(_ generation: UInt32, to host: PathHost) throws -> SPI {
    try #require(SPI(0x1000 + generation * 17 + UInt32(host.number)))
  }

  static func material(_ generation: UInt32, to host: PathHost) -> [UInt8] {
    [UInt8](repeating: UInt8(truncatingIfNeeded: generation * 2 + UInt32(host.number)), count: 36)
  }
}
