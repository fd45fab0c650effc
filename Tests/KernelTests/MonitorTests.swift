import Glibc
import Kernel
import Namespaces
import Testing
import Wire

@Suite struct MonitorTests {
  /// Everything that is there now; the kernel has queued an event before the command that caused it returns.
  private func drain(_ monitor: KernelMonitor) throws -> [KernelEvent] {
    var all: [KernelEvent] = []
    while true {
      let events = try monitor.receive()
      if events.isEmpty { return all }
      all += events
    }
  }

  @Test func theEventBufferIsLargeAndTheDescriptorDoesNotBlock() throws {
    try Namespace().run {
      let monitor = try KernelMonitor()
      #expect(monitor.receiveBufferSize >= 16 << 20)
      #expect(try monitor.receive().isEmpty)
      #expect(fcntl(monitor.descriptor, F_GETFL) & O_NONBLOCK != 0)
    }
  }

  @Test func aVIFThatComesJoinsGetsItsCarrierAndGoesIsReportedStepByStep() throws {
    try Namespace().run {
      let kernel = try KernelNetwork()
      let bridge = try kernel.ensureBridge(Specs.bridge()).index
      let monitor = try KernelMonitor()
      func links(_ events: [KernelEvent]) -> [Link] {
        events.compactMap { if case .link(let link) = $0, link.name == "vif1.0" { link } else { nil } }
      }
      try sh("ip link add vif1.0 type veth peer name g")
      #expect(links(try drain(monitor)).last.map { $0.master == nil && !$0.isUp } == true)
      try sh("ip link set vif1.0 master weft-blue")
      #expect(links(try drain(monitor)).last?.master == bridge)
      try sh("ip link set vif1.0 up")
      #expect(links(try drain(monitor)).last.map { $0.isUp && !$0.hasCarrier } == true)
      try sh("ip link set g up")
      #expect(try kernel.link(named: "vif1.0")?.hasCarrier == true)
      var seen = links(try drain(monitor))
      // A carrier is reported by the kernel's own worker, a moment later.
      let hasCarrier = try eventually {
        seen += links(try drain(monitor))
        return seen.last?.hasCarrier == true
      }
      #expect(hasCarrier)
      try sh("ip link set vif1.0 nomaster")
      let left = try drain(monitor)
      #expect(links(left).last.map { $0.master == nil } == true)
      #expect(!left.contains { if case .linkGone = $0 { true } else { false } }, "it left the bridge, it is not gone")
      let index = try #require(try kernel.link(named: "vif1.0")).index
      try sh("ip link del vif1.0")
      #expect(try drain(monitor).contains(.linkGone(index: index, name: "vif1.0")))
    }
  }

  @Test func forwardingEntriesAndAddressesAreReportedWhenTheyComeAndGo() throws {
    try Namespace().run {
      let kernel = try KernelNetwork()
      let bridge = try kernel.ensureBridge(Specs.bridge()).index
      let tunnel = try kernel.ensureVXLAN(try Specs.vxlan("192.0.2.1")).index
      let monitor = try KernelMonitor()
      let vtep = try VTEP.test("192.0.2.9")
      try kernel.replaceRemote(.test(5), tunnel: tunnel, vtep)
      let tables = try drain(monitor).compactMap { event -> FDBEntry.Table? in
        if case .entry(let entry) = event, entry.mac == .test(5) { entry.table } else { nil }
      }
      // Up to Linux 6.1 a notice without VTEP comes with them.
      #expect(Set(tables).subtracting([.device(nil)]) == [.bridge(bridge), .device(vtep)])
      _ = kernel.apply([.removePort(.test(5), port: tunnel)])
      #expect(
        try drain(monitor).contains { if case .entryGone(let entry) = $0 { entry.mac == .test(5) } else { false } })
      try sh("ip addr add 192.0.2.77/24 dev lo")
      #expect(
        try drain(monitor).contains {
          if case .address(let address) = $0 { address.address == .v4(0xc000_024d) } else { false }
        })
      try sh("ip addr del 192.0.2.77/24 dev lo")
      #expect(try drain(monitor).contains { if case .addressGone = $0 { true } else { false } })
    }
  }

  @Test func lostEventsAreToldAsAnOverrunAndANewLookFindsEverything() throws {
    try Namespace().run {
      let kernel = try KernelNetwork()
      try kernel.ensureBridge(Specs.bridge())
      let tunnel = try kernel.ensureVXLAN(try Specs.vxlan("192.0.2.1")).index
      let monitor = try KernelMonitor(receiveBuffer: 4096)
      let macs = (0..<2000).map { MACAddress.test(0x2000 + UInt64($0)) }
      #expect(kernel.apply(macs.map { .setRemote($0, tunnel: tunnel, .v4(0xc000_0209)) }).isEmpty)
      let events = try drain(monitor)
      #expect(events.contains(.overrun))
      #expect(Set(try kernel.forwardingEntries().map(\.mac)).isSuperset(of: macs))
      try sh("ip link set wx77 mtu 1300")
      let later = try drain(monitor)
      #expect(later.contains { if case .link(let link) = $0 { link.mtu == 1300 } else { false } }, "it goes on after")
    }
  }
}
