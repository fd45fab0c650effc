import Glibc
import Kernel
import Testing
import Wire

@Suite struct AbilityTests {
  @Test func bothLocksHoldByThemselvesOnThisKernelForIPv4AndIPv6() {
    let abilities = KernelAbilities.timedProbe()
    #expect(abilities.trial == nil)
    for isV6 in [false, true] {
      let protection = abilities.protection(isV6: isV6)
      #expect(protection.policyLock == nil, "\(protection.policyLock?.description ?? "")")
      #expect(protection.filterLock == nil, "\(protection.filterLock?.description ?? "")")
      print("ESP over IPv\(isV6 ? 6 : 4): \(protection.esp?.description ?? "yes")")
      print("ESP in UDP over IPv\(isV6 ? 6 : 4): \(protection.espInUDP?.description ?? "yes")")
      #expect(protection.esp == nil || protection.espInUDP != nil, "one needs the other")
    }
  }
}

@Suite(KernelLab.isHereOnly) struct LabAbilityTests {
  @Test func aKernelWithEverythingIsFoundToHaveEverything() {
    let abilities = KernelAbilities.timedProbe()
    var failures = [
      abilities.trial, abilities.vxlan, abilities.gretap, abilities.ip6gretap, abilities.tap, abilities.inputFilter,
    ]
    for isV6 in [false, true] {
      let protection = abilities.protection(isV6: isV6)
      failures += [protection.esp, protection.espInUDP, protection.policyLock, protection.filterLock]
    }
    #expect(failures.compactMap { $0?.description } == [])
  }
}

extension KernelAbilities {
  fileprivate static func timedProbe() -> KernelAbilities {
    let clock = ContinuousClock()
    let start = clock.now
    let abilities = probe()
    print("everything was tried in \(clock.now - start)")
    return abilities
  }
}
