import Testing
import Wire

@testable import Registry

/// The default MTU of a network against sizes that are added up header by header.
@Suite struct NetworkMTUTests {
  private static let kinds: [(Encapsulation, Encryption, isV6: Bool)] = [Encapsulation.vxlan, .gre].flatMap {
    encapsulation in
    [Encryption.off, .required].flatMap { encryption in
      [false, true].map { (encapsulation, encryption, $0) }
    }
  }

  /// The underlay packet of a full-size frame with one VLAN tag, in each form that it can take between two hosts.
  private static func packets(
    _ mtu: Int, _ encapsulation: Encapsulation, _ encryption: Encryption, isV6: Bool
  ) -> [Int] {
    let ip = isV6 ? 40 : 20
    let udp = 8
    let frame = 12 + 4 + 2 + mtu
    let inner =
      switch encapsulation {
      case .vxlan: udp + 8 + frame
      case .gre: 4 + 4 + frame
      }
    guard encryption == .required else { return [ip + inner] }
    var padding = 0
    while (inner + padding + 2) % 4 != 0 { padding += 1 }
    let esp = 4 + 4 + 8 + inner + padding + 2 + 16
    return [ip + esp, ip + udp + esp]
  }

  @Test(arguments: kinds)
  func theDefaultFillsAnUnderlayOfAnySize(
    _ encapsulation: Encapsulation, _ encryption: Encryption, isV6: Bool
  ) throws {
    for underlay in 1280...9216 {
      let mtu = try #require(
        NetworkMTU(largestOn: underlay, encapsulation: encapsulation, encryption: encryption, isV6: isV6))
      let largest = try #require(Self.packets(Int(mtu.value), encapsulation, encryption, isV6: isV6).max())
      try #require(largest <= underlay, "MTU \(mtu) makes packets of \(largest) bytes for an underlay of \(underlay).")
      guard mtu.value < NetworkMTU.range.upperBound else { continue }
      let next = try #require(Self.packets(Int(mtu.value) + 1, encapsulation, encryption, isV6: isV6).max())
      try #require(next > underlay, "An underlay of \(underlay) carries more than the MTU \(mtu).")
    }
  }

  @Test(arguments: kinds)
  func whatANetworkNeedsIsItsLargestPacket(
    _ encapsulation: Encapsulation, _ encryption: Encryption, isV6: Bool
  ) throws {
    for value in NetworkMTU.range {
      let needed = try NetworkMTU(value).underlayNeeded(
        encapsulation: encapsulation, encryption: encryption, isV6: isV6)
      try #require(needed == Self.packets(value, encapsulation, encryption, isV6: isV6).max(), "MTU \(value)")
    }
  }

  @Test func theDefaultsAreThoseOfTheDocumentation() {
    func largest(_ encapsulation: Encapsulation, _ encryption: Encryption, on underlay: Int, isV6: Bool) -> UInt16? {
      NetworkMTU(largestOn: underlay, encapsulation: encapsulation, encryption: encryption, isV6: isV6)?.value
    }
    #expect(largest(.vxlan, .required, on: 1500, isV6: false) == 1404)
    #expect(largest(.vxlan, .required, on: 1500, isV6: true) == 1384)
    #expect(largest(.gre, .required, on: 1500, isV6: false) == 1412)
    #expect(largest(.gre, .required, on: 1500, isV6: true) == 1392)
    #expect(largest(.vxlan, .off, on: 1500, isV6: false) == 1446)
    #expect(largest(.gre, .off, on: 1500, isV6: true) == 1434)
  }

  @Test(arguments: [0, 100, 600, 671])
  func anUnderlayTooSmallForAnyNetworkHasNone(_ underlay: Int) {
    #expect(NetworkMTU(largestOn: underlay, encapsulation: .vxlan, encryption: .required, isV6: false) == nil)
  }

  @Test func noNetworkGetsMoreThanTheLargestMTU() {
    #expect(NetworkMTU(largestOn: 65_536, encapsulation: .vxlan, encryption: .off, isV6: false)?.value == 9000)
  }
}
