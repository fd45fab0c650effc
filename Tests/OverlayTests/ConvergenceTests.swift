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
      if generator.next() % 3 == 0 { kernel.networks[PlanTests.blue]?.tunnels["wx77"]?.isWrongForLife = true }
      if generator.next() % 3 == 0 { kernel.networks[PlanTests.blue]?.tunnels["wx77"]?.bridge = nil }
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

  @Test func tunnelsOfGREConvergeFromAnyHostsAndAddressesToAnyOthers() throws {
    var generator = SeededGenerator(seed: 7)
    for _ in 0..<2000 {
      var kernel = PlanTests.standing(try randomGRE(&generator))
      let names = kernel.networks[PlanTests.blue]?.tunnels.keys.sorted() ?? []
      for name in names {
        switch generator.next() % 8 {
        case 0: kernel.networks[PlanTests.blue]?.tunnels[name]?.isWrongForLife = true
        case 1: kernel.networks[PlanTests.blue]?.tunnels[name]?.isSound = false
        case 2:
          kernel.networks[PlanTests.blue]?.tunnels[name]?.bridge = nil
          kernel.networks[PlanTests.blue]?.tunnels[name]?.floods = false
        case 3: kernel.networks[PlanTests.blue]?.tunnels[name]?.bridge = "strange"
        default: break
        }
      }
      let wanted = PlanTests.desired(try randomGRE(&generator))
      let steps = OverlayState.plan(from: kernel, to: wanted).flatMap(\.changes)
      for step in steps { kernel.carryOut(step, PlanTests.blue) }
      #expect(OverlayState.plan(from: kernel, to: wanted).isEmpty)
      let (found, aim) = (try #require(kernel.networks[PlanTests.blue]), try #require(wanted.networks[PlanTests.blue]))
      #expect(found.tunnels == aim.tunnels)
      #expect(aim.bridgeEntries.allSatisfy { found.bridgeEntries[$0.key] == $0.value })
      #expect(
        found.bridgeEntries.allSatisfy { $0.value.port.hasPrefix("vif") || aim.bridgeEntries[$0.key] == $0.value })
    }
  }

  /// Tunnels that stay as they are keep the MACs behind them and their flooding at every step.
  @Test func aMACBehindATunnelThatStaysNeverIsWithoutAPlaceOnTheWay() throws {
    var generator = SeededGenerator(seed: 8)
    for _ in 0..<2000 {
      let (before, after) = (try randomGRE(&generator), try randomGRE(&generator))
      var kernel = PlanTests.standing(before)
      let (old, new) = (PlanTests.standing(before), PlanTests.desired(after))
      let states = (try #require(old.networks[PlanTests.blue]), try #require(new.networks[PlanTests.blue]))
      let stays = Set(
        states.0.tunnels.filter { name, tunnel in
          states.1.tunnels[name].map { $0.local == tunnel.local && $0.remote == tunnel.remote } ?? false
        }.keys)
      let kept = states.0.bridgeEntries.filter { mac, entry in
        stays.contains(entry.port) && states.1.bridgeEntries[mac] != nil
      }.keys
      let keptFlood = stays.filter { states.0.tunnels[$0]?.floods == true && states.1.tunnels[$0]?.floods == true }
      for change in OverlayState.plan(from: kernel, to: new).flatMap(\.changes) {
        kernel.carryOut(change, PlanTests.blue)
        let state = try #require(kernel.networks[PlanTests.blue])
        #expect(kept.allSatisfy { state.bridgeEntries[$0] != nil })
        #expect(keptFlood.allSatisfy { state.tunnels[$0]?.floods == true })
      }
    }
  }

  /// Six hosts, some of them at an address that another one has or had.
  private func randomGRE(_ generator: inout SeededGenerator) throws -> NetworkPlanInput {
    var input = try GREPlanTests.input([:], local: generator.next() % 5 == 0 ? 100 : 1)
    input.remote = [:]
    input.local = [:]
    input.flood = []
    for number in 0..<6 as Range<UInt64> {
      let vtep = PlanTests.vtep(UInt32(2 + (generator.next() % 3 == 0 ? generator.next() % 6 : number)))
      if generator.next() % 4 != 0 { input.peers[GREPlanTests.peer(2 + number)] = vtep }
      switch generator.next() % 4 {
      case 0, 1: input.remote[PlanTests.mac(number)] = PlanTests.vtep(UInt32(2 + generator.next() % 6))
      case 2: input.local[PlanTests.mac(number)] = generator.next() % 2 == 0 ? "vif1.0" : "vif2.0"
      default: break
      }
      if generator.next() % 2 == 0 { input.flood.insert(PlanTests.vtep(UInt32(2 + number))) }
    }
    return input
  }
}
