import CLinux
import Glibc
import Namespaces
import Testing
import Wire

@testable import Kernel

@Suite struct TAPLinkTests {
  private static let obstacle = KernelAbilities.probe(.clear).tap

  /// Here or in the kernel lab: no machine that tests lacks it.
  init() { #expect(Self.obstacle == nil) }

  private func spec(mtu: Int = 1446, mac: MACAddress = .test(3)) -> TAPSpec {
    TAPSpec(name: "wt77", mac: mac, mtu: mtu, alias: Specs.alias, bridge: "weft-blue")
  }

  /// With one queue open, as while the packet path runs.
  private func withQueue(_ body: (Int32) throws -> Void) throws {
    let queue = weft_tun_attach("wt77")
    try #require(queue >= 0, "errno \(-queue)")
    defer { close(queue) }
    try body(queue)
  }

  /// On a port of the bridge, with an address.
  private func guest(_ bridge: Int32, _ kernel: KernelNetwork) throws -> Namespace {
    let guest = try Namespace()
    try sh("ip link add vif1.0 mtu 1446 type veth peer name eth0 mtu 1446 netns \(guest.path)")
    try kernel.setMaster(try #require(try kernel.link(named: "vif1.0")).index, bridge: bridge)
    try sh("ip link set vif1.0 up")
    try guest.run { try sh("ip link set eth0 up && ip addr add 198.51.100.1/24 dev eth0") }
    return guest
  }

  /// An ARP request of the guest's, as it comes out of the queue.
  private func request(of guest: Namespace, _ queue: Int32) throws -> [UInt8] {
    #expect(try portIs("forwarding"))
    try guest.run { _ = try? sh("ping -c 1 -W 0.1 198.51.100.2") }
    var frame = [UInt8](repeating: 0, count: 2048)
    var request: [UInt8]?
    for _ in 0..<500 where request == nil {
      let count = read(queue, &frame, frame.count)
      if count < 0 { usleep(10_000) } else if frame[22..<24] == [8, 6] { request = Array(frame[..<count]) }
    }
    return try #require(request)
  }

  /// Waits for it: the bridge hears of a carrier from the kernel's worker of link changes.
  private func portIs(_ state: String) throws -> Bool {
    try eventually { try sh("bridge link show dev wt77").contains("state \(state)") }
  }

  @Test func aDeviceIsMadeAsWantedAndASecondEnsureChangesNothing() throws {
    try withBridge { kernel, bridge in
      let first = try kernel.ensureTAP(spec())
      guard case .created = first else {
        Issue.record("not created: \(first)")
        return
      }
      // A program that is being started beside this test has a copy of the queue by which it was made for a moment.
      #expect(try eventually { try kernel.link(named: "wt77")?.tap?.queues == 0 })
      let link = try #require(try kernel.link(named: "wt77"))
      #expect(link.satisfies(spec(), bridge: bridge))
      #expect(link.mtu == 1446 && link.mac == .test(3) && link.isUp && link.alias == Specs.alias && link.kind == "tun")
      #expect(link.tap?.queues == 0 && !link.hasCarrier)
      #expect(link.port?.learning == false && link.port?.isolated == true && link.port?.floods == true)
      #expect(try kernel.ensureTAP(spec()) == .unchanged(index: first.index))
      let shown = try sh("ip -d link show wt77")
      for part in ["tun type tap pi off vnet_hdr on multi_queue", "persist on"] {
        #expect(shown.contains(part), "\(shown)")
      }
      #expect(try sh("ip -6 addr show dev wt77").isEmpty)
      #expect(kernel.isClosedToAddresses(link))
    }
  }

  static let damages = [
    "mtu 1300", "down", "address 02:00:00:00:00:99", "type bridge_slave learning on", "type bridge_slave isolated off",
    "type bridge_slave mcast_flood off", "nomaster", "addrgenmode eui64",
  ]

  @Test(arguments: damages, [false, true])
  func aDeviceThatSomeoneChangedIsRepairedWhileItLives(damage: String, hasQueue: Bool) throws {
    try withBridge { kernel, bridge in
      let index = try kernel.ensureTAP(spec()).index
      func damageAndRepair() throws {
        try sh("ip link set wt77 \(damage)")
        #expect(try kernel.link(named: "wt77")?.satisfies(spec(), bridge: bridge) == false, "\(damage) is seen")
        #expect(try kernel.ensureTAP(spec()) == .changed(index: index))
        #expect(try kernel.link(named: "wt77")?.satisfies(spec(), bridge: bridge) == true)
        #expect(try kernel.ensureTAP(spec()) == .unchanged(index: index))
      }
      if hasQueue { try withQueue { _ in try damageAndRepair() } } else { try damageAndRepair() }
    }
  }

  @Test func theKernelPutsNoQueuesBeforeADevice() throws {
    try withBridge { kernel, _ in
      try kernel.ensureTAP(spec())
      #expect(try sh("tc qdisc show dev wt77").hasPrefix("qdisc noqueue"))
      #expect(try kernel.link(named: "wt77").map { kernel.hasQueueing($0) } == false)
    }
  }

  @Test(arguments: [false, true]) func queuesThatTheKernelPutBeforeADeviceAreTakenAwayWhileItLives(isDown: Bool) throws
  {
    try withBridge { kernel, bridge in
      let index = try kernel.ensureTAP(spec()).index
      let guest = try guest(bridge, kernel)
      try withQueue { queue in
        // As without a choice at the first "up".
        try sh("tc qdisc del dev wt77 root")
        #expect(try sh("tc qdisc show dev wt77").contains("qdisc mq"))
        if isDown { try sh("ip link set wt77 down") }
        #expect(try kernel.link(named: "wt77").map { kernel.hasQueueing($0) } == true)
        #expect(try kernel.ensureTAP(spec()) == .changed(index: index))
        #expect(try sh("tc qdisc show dev wt77").hasPrefix("qdisc noqueue"))
        #expect(try kernel.ensureTAP(spec()) == .unchanged(index: index))
        #expect(try request(of: guest, queue)[22..<24] == [8, 6], "frames pass")
      }
    }
  }

  @Test func aQueueThatSomeoneElseChoseStays() throws {
    try withBridge { kernel, _ in
      let index = try kernel.ensureTAP(spec()).index
      try sh("tc qdisc replace dev wt77 root pfifo limit 10")
      #expect(try kernel.ensureTAP(spec()) == .unchanged(index: index))
      #expect(try sh("tc qdisc show dev wt77").contains("pfifo"))
    }
  }

  @Test func aKernelThatKeepsItsQueuesIsNotAskedAgain() throws {
    try withBridge { kernel, bridge in
      kernel.keepsQueueing = true
      let index = try kernel.ensureTAP(spec()).index
      #expect(try kernel.link(named: "wt77")?.queueing == "mq")
      #expect(try kernel.link(named: "wt77")?.satisfies(spec(), bridge: bridge) == true)
      #expect(try kernel.ensureTAP(spec()) == .unchanged(index: index))
    }
  }

  @Test(arguments: [
    ("ip tuntap add wt77 mode tap vnet_hdr", "number of queues"),
    ("ip tuntap add wt77 mode tap multi_queue", "kind of header before each frame"),
    ("ip tuntap add wt77 mode tap pi vnet_hdr multi_queue", "kind of header before each frame"),
    ("ip tuntap add wt77 mode tap vnet_hdr multi_queue user 99", "owner"),
    ("ip tuntap add wt77 mode tap vnet_hdr multi_queue group 99", "owner"),
  ])
  func aDeviceOfOursThatIsMadeOtherwiseIsNamedAndLeft(command: String, what: String) throws {
    try withBridge { kernel, bridge in
      try sh("\(command) && ip link set wt77 alias \(Specs.alias) address \(MACAddress.test(3))")
      let before = try kernel.link(named: "wt77")
      let error = #expect(throws: KernelError.self) { _ = try kernel.ensureTAP(spec()) }
      #expect(error == .unchangeable(name: "wt77", what: what))
      #expect(try kernel.link(named: "wt77") == before)
      // What the caller does about it.
      #expect(try kernel.deleteLink(named: "wt77", alias: Specs.alias))
      try kernel.ensureTAP(spec())
      #expect(try kernel.link(named: "wt77")?.satisfies(spec(), bridge: bridge) == true)
    }
  }

  @Test func aDeviceThatGoesWithItsProcessIsNotTakenForOurs() throws {
    try withBridge { kernel, _ in
      let queue = weft_tun_create("wt77")
      try #require(queue >= 0)
      defer { close(queue) }
      #expect(weft_tun_attach("wt77") == -ENODEV)
      try sh("ip link set wt77 alias \(Specs.alias)")
      let error = #expect(throws: KernelError.self) { _ = try kernel.ensureTAP(spec()) }
      #expect(error == .unchangeable(name: "wt77", what: "persistence"))
    }
  }

  @Test(arguments: [
    ("ip tuntap add wt77 mode tap vnet_hdr multi_queue", "tun"), ("ip tuntap add wt77 mode tun", "tun"),
    ("ip link add wt77 type bridge", "bridge"),
  ])
  func devicesOfOthersAreNotTouched(command: String, kind: String) throws {
    try withBridge { kernel, _ in
      try sh(command)
      let before = try kernel.link(named: "wt77")
      let error = #expect(throws: KernelError.self) { _ = try kernel.ensureTAP(spec()) }
      #expect(error == .foreign(name: "wt77", kind: kind, alias: nil))
      #expect(try kernel.link(named: "wt77") == before)
      #expect(weft_tun_create("wt77") == -EEXIST)
    }
  }

  @Test func noQueueOfAnotherKindOfDeviceIsOpenedAndNoneIsMadeByOpening() throws {
    try withBridge { kernel, _ in
      #expect(weft_tun_attach("wt77") == -ENODEV)
      #expect(weft_tun_attach("wt%d") == -ENODEV)
      #expect(weft_tun_create("wt%d") == -EINVAL)
      try sh("ip tuntap add single mode tap && ip link add wt77 type bridge")
      let before = try kernel.links()
      #expect(weft_tun_attach("single") == -EINVAL)
      #expect(weft_tun_attach("wt77") == -EINVAL)
      #expect(try kernel.links() == before)
    }
  }

  @Test func aBridgeThatIsNotOursGetsNoDevice() throws {
    try Namespace().run {
      let kernel = try KernelNetwork()
      var error = #expect(throws: KernelError.self) { _ = try kernel.ensureTAP(spec()) }
      #expect(error == .absent("weft-blue"))
      try sh("ip link add weft-blue type bridge")
      error = #expect(throws: KernelError.self) { _ = try kernel.ensureTAP(spec()) }
      #expect(error == .foreign(name: "weft-blue", kind: "bridge", alias: nil))
      #expect(try kernel.link(named: "wt77") == nil)
    }
  }

  @Test func itHasACarrierAndForwardsOnlyWhileAQueueIsOpenAndKeepsItsStaticEntries() throws {
    try withBridge { kernel, _ in
      let index = try kernel.ensureTAP(spec()).index
      #expect(kernel.apply([.setPort(.test(9), port: index)]).isEmpty)
      func isThere() throws -> Bool {
        try kernel.forwardingEntries().contains { $0.mac == .test(9) && $0.device == index }
      }
      #expect(try isThere())
      for _ in 0..<2 {
        #expect(try portIs("disabled"))
        try withQueue { _ throws in
          #expect(try kernel.link(named: "wt77")?.hasCarrier == true)
          #expect(try kernel.link(named: "wt77")?.tap?.queues == 1)
          #expect(try portIs("forwarding"))
          #expect(try isThere())
        }
        #expect(try portIs("disabled"))
        #expect(try kernel.link(named: "wt77")?.hasCarrier == false)
        #expect(try isThere())
      }
      try kernel.ensureTAP(spec(mtu: 1400))
      #expect(try isThere(), "an ensure takes nothing away")
    }
  }

  @Test func framesPassBothWaysAndOffloadsAreAskedFor() throws {
    try withBridge { kernel, bridge in
      try kernel.ensureTAP(spec())
      let guest = try guest(bridge, kernel)
      try withQueue { queue in
        #expect(weft_tun_set_offloads(queue, WEFT_TUN_CHECKSUM.rawValue | WEFT_TUN_TSO4.rawValue) == 0)
        #expect(weft_tun_set_offloads(queue, WEFT_TUN_TSO4.rawValue) == -EINVAL, "not without the checksum")
        // An ARP request of the guest's comes out with an empty header before it.
        let arp = try request(of: guest, queue)
        #expect(arp[..<10].allSatisfy { $0 == 0 } && arp[10..<16].allSatisfy { $0 == 0xff })
        // The answer, from a station that is nowhere else.
        let guestMAC = Array(arp[16..<22])
        let station = MACAddress.test(9).octets
        var answer = [UInt8](repeating: 0, count: 10) + guestMAC + station + arp[22..<30] + [0, 2]
        answer += station + arp[48..<52] + guestMAC + arp[38..<42]
        #expect(write(queue, answer, answer.count) == answer.count)
        let isLearned = try eventually {
          try guest.run { try sh("ip neigh show 198.51.100.2") }.contains("\(MACAddress.test(9))")
        }
        #expect(isLearned)
      }
    }
  }

  @Test func framesThatFindNoRoomBeforeTheReaderAreCounted() throws {
    try withBridge { kernel, bridge in
      try kernel.ensureTAP(spec())
      try withQueue { queue in
        let guest = try FrameSource("vif1.0", kernel, bridge: bridge)
        #expect(try portIs("forwarding"))
        let before = try #require(try kernel.link(named: "wt77")).transmitDrops
        guest.send(5000)
        let link = try #require(try kernel.link(named: "wt77"))
        let lost = link.transmitDrops - before
        #expect(try kernel.links().first { $0.index == link.index }?.transmitDrops == link.transmitDrops)
        // The queue holds the others.
        var (held, frame) = (0, [UInt8](repeating: 0, count: 2048))
        while read(queue, &frame, frame.count) > 0 { if guest.isFrom(frame[10...]) { held += 1 } }
        #expect(held > 0 && lost > 0 && held + Int(lost) == 5000, "\(held) \(lost)")
      }
    }
  }

  @Test func whetherThereAreTAPDevicesIsTriedElsewhere() throws {
    try Namespace().run {
      #expect(KernelAbilities.probe(.clear).tap == nil)
      let links = try KernelNetwork().links()
      #expect(links.map(\.name) == ["lo"])
    }
  }

  @Test(arguments: [ENOENT, ENODEV, EACCES, EBUSY])
  func withoutTheFileItIsSaidWhatToDo(code: Int32) {
    let error = KernelNetwork.refusalOfTAP("create the TAP device", "wt77", code, hasFile: false)
    #expect(error.description.contains("/dev/net/tun") == (code != EBUSY))
    #expect(!error.description.contains("went away"))
    #expect(!error.meansGone)
    let other = KernelNetwork.refusalOfTAP("create the TAP device", "wt77", code, hasFile: true)
    #expect(!other.description.contains("/dev/net/tun"))
  }
}
