import Namespaces
import Testing
import Wire

@testable import DataPath

/// What the engine is told of what it set; no packet is needed for it.
@Suite(.serialized) struct InterfaceTests {
  private let vni: VNI
  private let mac = MACAddress(0x0200_5e00_0001) ?? .zero
  private let one = IPAddress.v4(0xc000_0201)
  private let two = IPAddress.v4(0xc000_0202)
  private let material = [UInt8](repeating: 1, count: 36)

  init() throws { vni = try #require(VNI(5)) }

  private func withOpenNetwork(_ body: (DataPath) throws -> Void) throws {
    let namespace = try Namespace.quiet()
    try namespace.run {
      try sh("ip link add br0 type bridge")
      try PathHost.makeTap("wt5")
      let path = try DataPath()
      try path.open(PathNetwork(vni: vni, encapsulation: .gre, tap: "wt5", mtu: 1400))
      try body(path)
    }
  }

  @Test func entriesAndFloodAreReadBackBeforeAndAfterTheyTakeEffect() throws {
    try withOpenNetwork { path in
      path.setRemote(mac, one, in: vni)
      path.addFlood(one, in: vni)
      path.addFlood(two, in: vni)
      path.addFlood(two, in: vni)
      for _ in 0..<2 {
        #expect(path.forwarding(of: vni)?.remotes == [mac: one])
        #expect(path.forwarding(of: vni)?.flood == [one, two])
        path.publish()
      }
      path.setRemote(mac, two, in: vni)
      path.removeFlood(one, in: vni)
      #expect(path.forwarding(of: vni)?.remotes == [mac: two] && path.forwarding(of: vni)?.flood == [two])
      path.removeRemote(mac, in: vni)
      #expect(path.forwarding(of: vni)?.remotes == [:])
    }
  }

  @Test func aHostThatNothingNamesIsForgotten() throws {
    try withOpenNetwork { path in
      let spi = try #require(SPI(300))
      path.setRemote(mac, one, in: vni)
      path.addFlood(one, in: vni)
      try path.addInbound(spi, from: one, material: material)
      try path.addOutbound(spi, to: one, material: material)
      path.publish()
      path.setRemote(mac, two, in: vni)
      path.removeFlood(one, in: vni)
      path.removeInbound(spi)
      path.publish()
      #expect(Set(path.counters().peers.keys) == [one, two])
      path.removeOutbound(spi, to: one)
      path.publish()
      #expect(Set(path.counters().peers.keys) == [two])
      path.close(vni)
      path.publish()
      #expect(path.counters().peers.isEmpty && path.counters().networks.isEmpty)
    }
  }

  @Test func anSPIThatIsTakenIsRefused() throws {
    try withOpenNetwork { path in
      let spi = try #require(SPI(300))
      try path.addInbound(spi, from: one, material: material)
      #expect(throws: DataPathError.spiTaken(spi)) { try path.addInbound(spi, from: two, material: material) }
      try path.addOutbound(spi, to: one, material: material)
      #expect(throws: DataPathError.spiTaken(spi)) { try path.addOutbound(spi, to: one, material: material) }
      // The receiver draws it, so another host may have drawn the same.
      try path.addOutbound(spi, to: two, material: material)
      #expect(path.associations.count == 3)
      path.removeInbound(spi)
      try path.addInbound(spi, from: two, material: material)
    }
  }

  @Test func materialOfAnotherLengthIsRefused() throws {
    try withOpenNetwork { path in
      let spi = try #require(SPI(300))
      #expect(throws: DataPathError.unusableKey) { try path.addInbound(spi, from: one, material: []) }
      #expect(throws: DataPathError.unusableKey) { try path.addOutbound(spi, to: one, material: material + [1]) }
      #expect(path.associations.isEmpty)
    }
  }

  @Test func theSAInUseIsTold() throws {
    try withOpenNetwork { path in
      let (old, new) = (try #require(SPI(300)), try #require(SPI(301)))
      for spi in [old, new] { try path.addOutbound(spi, to: one, material: material) }
      #expect(path.associations.allSatisfy { !$0.isInUse })
      path.useOutbound(old, to: one)
      path.useOutbound(new, to: one)
      #expect(path.associations.filter(\.isInUse).map(\.spi) == [new])
      path.useOutbound(nil, to: one)
      #expect(path.associations.allSatisfy { !$0.isInUse })
    }
  }

  @Test func aTAPThatThereIsNotIsRefusedAndNotMade() throws {
    let namespace = try Namespace.quiet()
    try namespace.run {
      let path = try DataPath()
      let error = #expect(throws: DataPathError.self) {
        try path.open(PathNetwork(vni: vni, encapsulation: .vxlan, tap: "wt9", mtu: 1400))
      }
      #expect(error == .refused(operation: "attach to", object: "the TAP device wt9", code: 19))
      #expect(path.forwarding(of: vni) == nil && path.openNetworks == [])
      #expect(throws: ShellFailure.self) { try sh("ip link show wt9") }
    }
  }

  @Test func aDeviceThatIsNoTAPOfSeveralQueuesIsRefused() throws {
    let namespace = try Namespace.quiet()
    try namespace.run {
      try sh("ip tuntap add wt1 mode tun multi_queue && ip tuntap add wt2 mode tap vnet_hdr")
      let path = try DataPath()
      for tap in ["wt1", "wt2"] {
        let error = #expect(throws: DataPathError.self) {
          try path.open(PathNetwork(vni: vni, encapsulation: .vxlan, tap: tap, mtu: 1400))
        }
        #expect(error == .refused(operation: "attach to", object: "the TAP device \(tap)", code: 22))
      }
      #expect(path.openNetworks == [])
    }
  }

  @Test func aTAPWhoseQueuesAnotherHasIsOpenedAllTheSame() throws {
    try withOpenNetwork { path in
      let other = try DataPath()
      try other.open(PathNetwork(vni: vni, encapsulation: .gre, tap: "wt5", mtu: 1400))
      #expect(path.openNetworks == [vni] && other.openNetworks == [vni])
    }
  }

  @Test func aPortThatIsTakenIsRefused() throws {
    let namespace = try Namespace.quiet()
    try namespace.run {
      try sh("ip addr add 192.0.2.1/32 dev lo")
      let (path, other) = (try DataPath(), try DataPath())
      try path.bind(to: one)
      try path.bind(to: one)
      #expect(throws: DataPathError.self) { try other.bind(to: one) }
      #expect(throws: DataPathError.self) { try other.bind(to: two) }
    }
  }

  @Test func queuesSuitTheMachine() {
    #expect([1, 2, 4, 5, 8, 12, 16, 64].map(DataPath.Settings.suitable) == [1, 1, 1, 1, 2, 3, 4, 4])
    #expect(DataPath.Settings(queues: 0).queues == 1)
  }
}
