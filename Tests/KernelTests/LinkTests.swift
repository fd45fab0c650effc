import Glibc
import Kernel
import Namespaces
import Testing
import Wire

@Suite struct LinkTests {
  @Test func aBridgeIsMadeAsWantedAndASecondEnsureChangesNothing() throws {
    try Namespace().run {
      let kernel = try KernelNetwork()
      let first = try kernel.ensureBridge(Specs.bridge())
      guard case .created = first else {
        Issue.record("not created: \(first)")
        return
      }
      let link = try #require(try kernel.link(named: "weft-blue"))
      #expect(link.satisfies(Specs.bridge()))
      #expect(link.mac == .test(1) && link.mtu == 1446 && link.alias == Specs.alias && link.isUp)
      #expect(link.bridge?.multicastSnooping == false && link.bridge?.spanningTree == false)
      #expect(try kernel.ensureBridge(Specs.bridge()) == .unchanged(index: first.index))
      #expect(try kernel.isIsolatedFromHost(link))
      #expect(try sh("ip -6 addr show dev weft-blue").isEmpty)
    }
  }

  @Test(arguments: [
    "ip link set weft-blue mtu 1300", "ip link set weft-blue down",
    "ip link set weft-blue type bridge mcast_snooping 1",
    "ip link set weft-blue address 02:00:00:00:00:99", "tc qdisc del dev weft-blue ingress",
    "sysctl -qw net.ipv4.conf.weft-blue.arp_ignore=0 || echo 0 > /proc/sys/net/ipv4/conf/weft-blue/arp_ignore",
  ])
  func aBridgeThatSomeoneChangedIsRepairedWhileItLives(damage: String) throws {
    try Namespace().run {
      let kernel = try KernelNetwork()
      let index = try kernel.ensureBridge(Specs.bridge()).index
      try sh(damage)
      #expect(try kernel.ensureBridge(Specs.bridge()) == .changed(index: index))
      #expect(try kernel.ensureBridge(Specs.bridge()) == .unchanged(index: index))
    }
  }

  @Test(arguments: [1400, 1500, 9000])
  func theMTUOfABridgeDoesNotFollowItsPorts(mtu: Int) throws {
    try Namespace().run {
      let kernel = try KernelNetwork()
      try kernel.ensureBridge(Specs.bridge(mtu: mtu))
      try sh("ip link add vif1.0 mtu 1280 type veth peer name g && ip link set vif1.0 master weft-blue")
      #expect(try kernel.link(named: "weft-blue")?.mtu == mtu)
    }
  }

  @Test func aBridgeOfAnotherOwnerIsNotTouched() throws {
    try Namespace().run {
      let kernel = try KernelNetwork()
      try sh("ip link add weft-blue type bridge && ip link set weft-blue mtu 1234 alias strange")
      let before = try kernel.link(named: "weft-blue")
      let error = #expect(throws: KernelError.self) { _ = try kernel.ensureBridge(Specs.bridge()) }
      #expect(error == .foreign(name: "weft-blue", kind: "bridge", alias: "strange"))
      #expect(throws: KernelError.self) { _ = try kernel.deleteLink(named: "weft-blue", alias: Specs.alias) }
      #expect(try kernel.link(named: "weft-blue") == before)
    }
  }

  @Test func aBridgeWithoutAliasAndWithAForeignMACIsNotTouched() throws {
    try Namespace().run {
      let kernel = try KernelNetwork()
      try sh("ip link add weft-blue type bridge")
      #expect(throws: KernelError.self) { _ = try kernel.ensureBridge(Specs.bridge()) }
      #expect(try kernel.link(named: "weft-blue")?.alias == nil)
    }
  }

  @Test func aBridgeOfOursThatDidNotGetItsMarkIsTakenOver() throws {
    try Namespace().run {
      let kernel = try KernelNetwork()
      try sh("ip link add weft-blue address \(MACAddress.test(1)) type bridge")
      let ensured = try kernel.ensureBridge(Specs.bridge())
      #expect(try kernel.link(named: "weft-blue")?.alias == Specs.alias)
      #expect(ensured == .changed(index: ensured.index))
    }
  }

  @Test(arguments: ["192.0.2.1", "2001:db8::1"])
  func aVXLANDeviceIsMadeAsWantedAndASecondEnsureChangesNothing(local: String) throws {
    try Namespace().run {
      let kernel = try KernelNetwork()
      let bridge = try kernel.ensureBridge(Specs.bridge()).index
      let spec = try Specs.vxlan(local)
      let first = try kernel.ensureVXLAN(spec)
      let link = try #require(try kernel.link(named: "wx77"))
      #expect(link.satisfies(spec, bridge: bridge))
      #expect(link.vxlan?.vni == 77 && link.vxlan?.port == 7680 && link.vxlan?.learning == false)
      #expect(link.port?.learning == false && link.port?.isolated == true)
      #expect(try kernel.ensureVXLAN(spec) == .unchanged(index: first.index))
      let shown = try sh("ip -d link show wx77")
      #expect(shown.contains(spec.local.isV6 ? "noudp6zerocsumtx" : " udpcsum"))
    }
  }

  @Test func aVXLANDeviceMovesToAnotherUnderlayAddressWithoutBeingMadeAnew() throws {
    try Namespace().run {
      let kernel = try KernelNetwork()
      try kernel.ensureBridge(Specs.bridge())
      let index = try kernel.ensureVXLAN(try Specs.vxlan("192.0.2.1")).index
      let entry = FDBChange.setRemote(.test(9), tunnel: index, try .test("192.0.2.9"))
      #expect(kernel.apply([entry]).isEmpty)
      #expect(try kernel.ensureVXLAN(try Specs.vxlan("192.0.2.2", mtu: 1400)) == .changed(index: index))
      let link = try #require(try kernel.link(named: "wx77"))
      #expect(link.vxlan?.local == (try .test("192.0.2.2")) && link.mtu == 1400)
      #expect(try kernel.forwardingEntries().contains { $0.mac == .test(9) && $0.device == index })
      let error = #expect(throws: KernelError.self) { _ = try kernel.ensureVXLAN(try Specs.vxlan("2001:db8::1")) }
      #expect(error == .unchangeable(name: "wx77", what: "kind of underlay address"))
    }
  }

  @Test func aVXLANDeviceThatLeftItsBridgeIsPutBackWithItsPortFlags() throws {
    try Namespace().run {
      let kernel = try KernelNetwork()
      let bridge = try kernel.ensureBridge(Specs.bridge()).index
      let index = try kernel.ensureVXLAN(try Specs.vxlan("192.0.2.1")).index
      try sh("ip link set wx77 nomaster")
      #expect(try kernel.ensureVXLAN(try Specs.vxlan("192.0.2.1")) == .changed(index: index))
      let spec = try Specs.vxlan("192.0.2.1")
      #expect(try kernel.link(named: "wx77")?.satisfies(spec, bridge: bridge) == true)
    }
  }

  @Test func aUDPPortInUseIsRefusedWithErrnoAndASentence() throws {
    try Namespace().run {
      let kernel = try KernelNetwork()
      try kernel.ensureBridge(Specs.bridge())
      // A VXLAN device with other flags on the port, as Open vSwitch makes one.
      try sh("ip link add ovs type vxlan external dstport 7680 && ip link set ovs up")
      let error = #expect(throws: KernelError.self) { _ = try kernel.ensureVXLAN(try Specs.vxlan("192.0.2.1")) }
      let text = error?.description ?? ""
      #expect([EEXIST, EADDRINUSE].contains(error?.code ?? 0), "\(text)")
      #expect(text.contains("errno") && text.contains("ip -d link"))
    }
  }

  @Test func aRefusalCarriesTheKernelsOwnWords() throws {
    try Namespace().run {
      let kernel = try KernelNetwork()
      try kernel.ensureBridge(Specs.bridge())
      try sh("ip link add other type vxlan id 77 local 192.0.2.1 dstport 7680")
      let error = #expect(throws: KernelError.self) { _ = try kernel.ensureVXLAN(try Specs.vxlan("192.0.2.1")) }
      guard case .refused(_, let object, let code, let message, _) = error else {
        Issue.record("\(String(describing: error))")
        return
      }
      #expect(object == "wx77" && code == EEXIST)
      #expect(message?.contains("VNI") == true, "\(message ?? "no message")")
    }
  }

  @Test func namesThatNoInterfaceCanHaveAreRefused() throws {
    try Namespace().run {
      let kernel = try KernelNetwork()
      for name in ["", "a b", "a/b", "sixteen-letters-", String(repeating: "x", count: 300), "..", "ä b"] {
        #expect(throws: KernelError.self) { _ = try kernel.ensureBridge(Specs.bridge(name)) }
      }
      #expect(try kernel.links().map(\.name) == ["lo"])
    }
  }

  @Test func portsGoInAndOutAndLinksAreDeletedOnlyWithTheRightMark() throws {
    try Namespace().run {
      let kernel = try KernelNetwork()
      let bridge = try kernel.ensureBridge(Specs.bridge()).index
      try sh("ip link add vif1.0 type veth peer name g")
      let port = try #require(try kernel.link(named: "vif1.0")).index
      try kernel.setMaster(port, bridge: bridge)
      try kernel.setPort(port, learning: false, isolated: true)
      try kernel.setUp(port, true)
      var link = try #require(try kernel.link(index: port))
      #expect(link.master == bridge && link.isUp && link.port?.learning == false && link.port?.isolated == true)
      #expect(!link.hasCarrier)
      try sh("ip link set g up")
      #expect(try kernel.link(index: port)?.hasCarrier == true)
      try kernel.setMaster(port, bridge: nil)
      link = try #require(try kernel.link(index: port))
      #expect(link.master == nil && link.port == nil)
      #expect(try kernel.deleteLink(named: "weft-blue", alias: Specs.alias))
      #expect(try kernel.deleteLink(named: "weft-blue", alias: Specs.alias) == false)
    }
  }

  @Test(
    arguments: [(.interfaces, "ip -d link"), (.forwarding, "bridge fdb"), (.ipsec, "ip xfrm"), (.packetFilter, "nft")]
      as [(KernelPart, String)])
  func whatStandsInTheWayIsLookedForWhereItIs(part: KernelPart, command: String) {
    for code in [EEXIST, EBUSY] {
      let error = KernelError.refused(operation: "add", object: "it", code: code, message: nil, part: part)
      #expect(error.description.contains("look with '\(command)"))
    }
  }

  @Test func withoutPermissionTheErrorSaysToBeRoot() throws {
    let error = KernelError.refused(operation: "create the bridge", object: "weft-blue", code: EPERM, message: nil)
    #expect(error.description.contains("Run weftd as root"))
  }
}
