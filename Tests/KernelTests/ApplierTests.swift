import Agent
import Kernel
import Namespaces
import Overlay
import Registry
import Testing
import Wire

@Suite struct ApplierTests {
  private func input(_ id: NetworkID = .test, vni: UInt32 = 77, bridge: String = "weft-blue") throws -> NetworkPlanInput
  {
    NetworkPlanInput(
      id: id, name: "blue", vni: try .test(vni), bridge: bridge, encapsulation: .vxlan, encryption: .off, mtu: 1446,
      localVTEP: try .test("192.0.2.1"),
      remote: [.test(0x21): try .test("192.0.2.2"), .test(0x31): try .test("192.0.2.3")],
      local: [.test(0x11): "vif1.0"], flood: [try .test("192.0.2.2"), try .test("192.0.2.3")])
  }

  private func desired(_ inputs: [NetworkPlanInput]) -> OverlayState {
    OverlayState.desired(inputs, pool: "test", host: .test, mechanisms: [.kernelVXLANInClear]).state
  }

  @Test func aNetworkIsBroughtAboutAndASecondApplierFindsNothingToDo() throws {
    try Namespace().run {
      let wanted = desired([try input()])
      let first = OverlayApplier(kernel: try KernelNetwork(), pool: "test")
      var outcome = try first.reconcile(to: wanted)
      #expect(outcome.errors.isEmpty && outcome.changeCount > 0)
      try addVIF()
      outcome = try first.reconcile(to: wanted)
      #expect(outcome.errors.isEmpty && outcome.changeCount == 1, "the VIF's MAC is set when the VIF is there")
      let (monitor, kernel) = (try KernelMonitor(), try KernelNetwork())
      let before = try kernel.links()
      let second = OverlayApplier(kernel: kernel, pool: "test")
      outcome = try second.reconcile(to: wanted)
      #expect(outcome.errors.isEmpty && outcome.changeCount == 0)
      #expect(try monitor.receive().changes(since: before).isEmpty, "a restart touches nothing")
    }
  }

  @Test func whatSomeoneChangedByHandIsPutRight() throws {
    try Namespace().run {
      let wanted = desired([try input()])
      let applier = OverlayApplier(kernel: try KernelNetwork(), pool: "test")
      _ = try applier.reconcile(to: wanted)
      try addVIF()
      _ = try applier.reconcile(to: wanted)
      try sh("bridge fdb del \(MACAddress.test(0x21)) dev wx77 self")
      try sh("bridge fdb replace \(MACAddress.test(0x31)) dev vif1.0 master static")
      try sh("bridge fdb append 00:00:00:00:00:00 dev wx77 dst 192.0.2.66")
      try sh("bridge fdb add 02:00:00:00:00:66 dev wx77 dst 192.0.2.66 self master static")
      try sh("ip link set wx77 nomaster && ip link set weft-blue mtu 1400")
      let outcome = try applier.reconcile(to: wanted)
      #expect(outcome.errors.isEmpty && outcome.changeCount > 0)
      let again = try applier.reconcile(to: wanted)
      #expect(again.changeCount == 0)
      let shown = try sh("bridge fdb show")
      #expect(!shown.contains("192.0.2.66") && shown.contains("\(MACAddress.test(0x21)) dev wx77 dst 192.0.2.2"))
    }
  }

  @Test func aNetworkThatIsGoneTakesExactlyItsDevicesAlong() throws {
    try Namespace().run {
      let applier = OverlayApplier(kernel: try KernelNetwork(), pool: "test")
      let both = desired([try input(), try input(.other, vni: 78, bridge: "weft-red")])
      try sh("ip link add mine type bridge && ip link set mine alias weft:elsewhere:\(NetworkID.test)")
      _ = try applier.reconcile(to: both)
      let outcome = try applier.reconcile(to: desired([try input(.other, vni: 78, bridge: "weft-red")]))
      #expect(outcome.errors.isEmpty)
      let names = Set(try KernelNetwork().links().map(\.name))
      #expect(names == ["lo", "mine", "weft-red", "wx78"])
    }
  }

  @Test func aBridgeOfThatNameThatIsNotOursIsAProblemAndNotAChange() throws {
    try Namespace().run {
      let applier = OverlayApplier(kernel: try KernelNetwork(), pool: "test")
      try sh("ip link add weft-blue type bridge")
      let outcome = try applier.reconcile(
        to: desired([try input(), try input(.other, vni: 78, bridge: "weft-red")]))
      #expect(outcome.problems[.test] == .nameTaken(device: "weft-blue", alias: nil))
      let names = Set(try KernelNetwork().links().map(\.name))
      #expect(names == ["lo", "weft-blue", "weft-red", "wx78"], "the other network stands all the same")
    }
  }

  @Test func aDeviceLeftWithoutItsMarkByAKilledAgentIsTakenOver() throws {
    try Namespace().run {
      let applier = OverlayApplier(kernel: try KernelNetwork(), pool: "test")
      let mac = OverlayNames.mac(.bridge, network: .test, host: .test)
      try sh("ip link add weft-blue address \(mac) type bridge")
      let outcome = try applier.reconcile(to: desired([try input()]))
      #expect(outcome.problems.isEmpty && outcome.errors.isEmpty)
      #expect(try KernelNetwork().link(named: "weft-blue")?.alias == "weft:test:\(NetworkID.test)")
    }
  }

  @Test func aTunnelThatIsWrongForLifeIsMadeAnewWithItsEntries() throws {
    try Namespace().run {
      let applier = OverlayApplier(kernel: try KernelNetwork(), pool: "test")
      try sh("ip link add wx77 type vxlan id 77 local 192.0.2.1 dstport 4444 nolearning")
      try sh("ip link set wx77 alias weft:test:\(NetworkID.test)")
      let outcome = try applier.reconcile(to: desired([try input()]))
      #expect(outcome.errors.isEmpty)
      #expect(try KernelNetwork().link(named: "wx77")?.vxlan?.port == 7680)
      #expect(try applier.reconcile(to: desired([try input()])).changeCount == 0)
    }
  }

  @Test func theFastPathMovesAMACEvenAfterTheDeviceWasMadeAnew() throws {
    try Namespace().run {
      let kernel = try KernelNetwork()
      let applier = OverlayApplier(kernel: kernel, pool: "test")
      let wanted = desired([try input()])
      _ = try applier.reconcile(to: wanted)
      try applier.setRemote(.test(0x21), try .test("192.0.2.3"), tunnel: "wx77")
      #expect(try sh("bridge fdb show dev wx77").contains("\(MACAddress.test(0x21)) dst 192.0.2.3"))
      try sh("ip link del wx77")
      _ = try OverlayApplier(kernel: try KernelNetwork(), pool: "test").reconcile(to: wanted)
      try applier.setRemote(.test(0x21), try .test("192.0.2.3"), tunnel: "wx77")
      #expect(try sh("bridge fdb show dev wx77").contains("\(MACAddress.test(0x21)) dst 192.0.2.3"))
    }
  }
}
