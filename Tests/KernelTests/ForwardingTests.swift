import Glibc
import Kernel
import Namespaces
import Testing
import Wire

@Suite struct ForwardingTests {
  private struct Network {
    let kernel: KernelNetwork
    let bridge: Int32
    let tunnel: Int32

    init() throws {
      kernel = try KernelNetwork()
      bridge = try kernel.ensureBridge(Specs.bridge()).index
      tunnel = try kernel.ensureVXLAN(try Specs.vxlan("192.0.2.1")).index
    }

    func places(of mac: MACAddress) throws -> Set<FDBEntry.Table> {
      Set(try kernel.forwardingEntries().filter { $0.mac == mac && $0.state == .fixed }.map(\.table))
    }

    func flood() throws -> Set<VTEP> {
      Set(
        try kernel.forwardingEntries().compactMap { entry in
          if case .device(let vtep) = entry.table, entry.mac == .zero { vtep } else { nil }
        })
    }
  }

  @Test func aRemoteMACIsSetInBothTablesByOneMessageAndMovedByOne() throws {
    try Namespace().run {
      let network = try Network()
      let (first, second) = (try VTEP.test("192.0.2.8"), try VTEP.test("192.0.2.9"))
      try network.kernel.replaceRemote(.test(5), tunnel: network.tunnel, first)
      #expect(try network.places(of: .test(5)) == [.bridge(network.bridge), .device(first)])
      let monitor = try KernelMonitor()
      try network.kernel.replaceRemote(.test(5), tunnel: network.tunnel, second)
      #expect(try network.places(of: .test(5)) == [.bridge(network.bridge), .device(second)])
      let gone = try monitor.receive().filter { if case .entryGone = $0 { true } else { false } }
      #expect(gone.isEmpty, "replaced, never deleted and added")
    }
  }

  @Test func aMACMovesBetweenALocalPortAndTheTunnelInOneStep() throws {
    try Namespace().run {
      let network = try Network()
      try sh("ip link add vif1.0 type veth peer name g && ip link set vif1.0 master weft-blue")
      let port = try #require(try network.kernel.link(named: "vif1.0")).index
      #expect(network.kernel.apply([.setPort(.test(5), port: port)]).isEmpty)
      let vtep = try VTEP.test("192.0.2.8")
      try network.kernel.replaceRemote(.test(5), tunnel: network.tunnel, vtep)
      var devices = try network.kernel.forwardingEntries().filter { $0.mac == .test(5) }.map(\.device)
      #expect(devices.allSatisfy { $0 == network.tunnel })
      #expect(
        network.kernel.apply([.setPort(.test(5), port: port), .removeTunnelEntry(.test(5), tunnel: network.tunnel)])
          .isEmpty)
      devices = try network.kernel.forwardingEntries().filter { $0.mac == .test(5) }.map(\.device)
      #expect(devices == [port])
      // It points elsewhere now: nothing is removed, and that is no error.
      #expect(network.kernel.apply([.removePort(.test(5), port: network.tunnel)]).isEmpty)
      #expect(try network.places(of: .test(5)) == [.bridge(network.bridge)])
    }
  }

  @Test func theFloodListTakesAndLosesHostsOneByOne() throws {
    try Namespace().run {
      let network = try Network()
      let vteps = try (1...5).map { try VTEP.test("198.51.100.\($0)") }
      #expect(network.kernel.apply(vteps.map { .addFlood(tunnel: network.tunnel, $0) }).isEmpty)
      #expect(try network.flood() == Set(vteps))
      #expect(network.kernel.apply([.addFlood(tunnel: network.tunnel, vteps[0])]).isEmpty, "again is no error")
      #expect(network.kernel.apply([.removeFlood(tunnel: network.tunnel, vteps[2])]).isEmpty)
      #expect(network.kernel.apply([.removeFlood(tunnel: network.tunnel, vteps[2])]).isEmpty)
      #expect(try network.flood() == Set(vteps).subtracting([vteps[2]]))
    }
  }

  @Test func aBatchTellsWhichOfItsRequestsFailed() throws {
    try Namespace().run {
      let network = try Network()
      let vtep = try VTEP.test("192.0.2.8")
      let failures = network.kernel.apply([
        .setRemote(.test(1), tunnel: network.tunnel, vtep), .setRemote(.test(2), tunnel: 4711, vtep),
        .setRemote(.broadcast, tunnel: network.tunnel, vtep), .setRemote(.test(3), tunnel: network.tunnel, vtep),
      ])
      #expect(failures.map(\.index) == [1, 2])
      #expect(failures.first?.error.code == ENODEV)
      #expect(try network.places(of: .test(3)).count == 2)
    }
  }

  @Test func tenThousandEntriesAreSetInBatchesAndRead() throws {
    try Namespace().run {
      let network = try Network()
      let vtep = try VTEP.test("192.0.2.8")
      let clock = ContinuousClock()
      let macs = (0..<10_000).map { MACAddress.test(0x10000 + UInt64($0)) }
      let set = clock.measure {
        #expect(network.kernel.apply(macs.map { .setRemote($0, tunnel: network.tunnel, vtep) }).isEmpty)
      }
      var entries: [FDBEntry] = []
      let read = try clock.measure { entries = try network.kernel.forwardingEntries() }
      #expect(Set(entries.filter { $0.table == .device(vtep) }.map(\.mac)) == Set(macs))
      #expect(Set(entries.filter { $0.table == .bridge(network.bridge) && $0.state == .fixed }.map(\.mac)) == Set(macs))
      let one = try clock.measure {
        for mac in macs.prefix(1000) { try network.kernel.replaceRemote(mac, tunnel: network.tunnel, .v4(0xc000_0209)) }
      }
      print("10,000 entries in two tables: set in \(set), read in \(read); one replaced in \(one / 1000)")
    }
  }
}
