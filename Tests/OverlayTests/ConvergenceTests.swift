import Overlay
import Registry
import Testing
import Wire

/// Plans carried out on a model of the kernel's tables end in the wanted state, from any state.
@Suite struct ConvergenceTests {
  @Test func anyStateIsBroughtToAnyOtherAndThenNothingIsLeftToDo() throws {
    var generator = SeededGenerator(seed: 5)
    for _ in 0..<2000 {
      let before = try randomInput(&generator)
      let after = try randomInput(&generator)
      var kernel = PlanTests.standing(before)
      if generator.next() % 3 == 0 { kernel.networks[PlanTests.blue]?.tunnel?.isWrongForLife = true }
      if generator.next() % 3 == 0 { kernel.networks[PlanTests.blue]?.tunnel?.bridge = nil }
      let wanted = PlanTests.desired(after)
      for plan in OverlayState.plan(from: kernel, to: wanted) {
        for change in plan.changes { kernel.carryOut(change, PlanTests.blue) }
      }
      #expect(OverlayState.plan(from: kernel, to: wanted).isEmpty)
    }
  }

  @Test func aMACWithAPlaceBeforeAndAfterNeverIsWithoutOneOnTheWay() throws {
    var generator = SeededGenerator(seed: 6)
    for _ in 0..<2000 {
      let (before, after) = (try randomInput(&generator), try randomInput(&generator))
      var kernel = PlanTests.standing(before)
      let wanted = PlanTests.desired(after)
      let kept = Set(wanted.networks[PlanTests.blue]?.tunnelEntries.keys.map { $0 } ?? [])
        .intersection(kernel.networks[PlanTests.blue]?.tunnelEntries.keys.map { $0 } ?? [])
      let keptFlood = before.flood.intersection(after.flood)
      for change in OverlayState.plan(from: kernel, to: wanted).flatMap(\.changes) {
        kernel.carryOut(change, PlanTests.blue)
        let state = try #require(kernel.networks[PlanTests.blue])
        #expect(kept.allSatisfy { state.tunnelEntries[$0] != nil && state.bridgeEntries[$0] != nil })
        #expect(state.flood.isSuperset(of: keptFlood))
      }
    }
  }

  private func randomInput(_ generator: inout SeededGenerator) throws -> NetworkPlanInput {
    var input = try PlanTests.input()
    input.remote = [:]
    input.local = [:]
    input.flood = []
    for number in 0..<6 as Range<UInt64> {
      switch generator.next() % 4 {
      case 0: input.remote[PlanTests.mac(number)] = PlanTests.vtep(UInt32(2 + generator.next() % 3))
      case 1: input.local[PlanTests.mac(number)] = generator.next() % 2 == 0 ? "vif1.0" : "vif2.0"
      default: break
      }
      if generator.next() % 2 == 0 { input.flood.insert(PlanTests.vtep(UInt32(2 + number))) }
    }
    return input
  }
}

extension OverlayState {
  /// What the kernel does with a change, as `KernelTests` sees it do.
  fileprivate mutating func carryOut(_ change: Change, _ id: NetworkID) {
    var network = networks[id] ?? NetworkState()
    switch change {
    case .ensureBridge(let bridge): network.bridge = bridge
    case .ensureTunnel(let tunnel):
      if let old = network.tunnel, old.bridge != tunnel.bridge {
        network.bridgeEntries = network.bridgeEntries.filter { $0.value.port != old.name }
      }
      network.tunnel = tunnel
    case .setRemote(let mac, let vtep, let tunnel):
      network.tunnelEntries[mac] = vtep
      network.bridgeEntries[mac] = BridgeEntry(port: tunnel)
    case .setLocal(let mac, let port): network.bridgeEntries[mac] = BridgeEntry(port: port)
    case .addFlood(let vtep, _): network.flood.insert(vtep)
    case .removeFlood(let vtep, _): network.flood.remove(vtep)
    case .removeTunnelEntry(let mac, _): network.tunnelEntries[mac] = nil
    case .removeBridgeEntry(let mac, let port):
      if network.bridgeEntries[mac]?.port == port { network.bridgeEntries[mac] = nil }
    case .removeTunnel(let name, _):
      network.tunnel = nil
      network.flood = []
      network.tunnelEntries = [:]
      network.bridgeEntries = network.bridgeEntries.filter { $0.value.port != name }
    case .removeBridge: network.bridge = nil
    }
    networks[id] = network
  }
}
