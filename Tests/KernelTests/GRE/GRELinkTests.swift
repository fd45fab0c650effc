import Glibc
import Kernel
import Namespaces
import Testing
import Wire

@Suite(KernelLab.hasGRE) struct GRELinkTests {
  private func spec(_ isV6: Bool = false, local: Int = 1, remote: Int = 2, vni: UInt32 = 77, mtu: Int = 1446) throws
    -> GRESpec
  {
    let base = isV6 ? "2001:db8::" : "192.0.2."
    return GRESpec(
      name: "wr25.abc", mac: .test(2), vni: try .test(vni), local: try .test("\(base)\(local)"),
      remote: try .test("\(base)\(remote)"), mtu: mtu, alias: Specs.alias, bridge: "weft-blue")
  }

  @Test(arguments: [false, true])
  func aDeviceIsMadeAsWantedAndASecondEnsureChangesNothing(isV6: Bool) throws {
    try withBridge { kernel, bridge in
      let spec = try spec(isV6)
      let first = try kernel.ensureGRE(spec)
      guard case .created = first else {
        Issue.record("not created: \(first)")
        return
      }
      let link = try #require(try kernel.link(named: spec.name))
      #expect(link.satisfies(spec, bridge: bridge))
      #expect(link.mtu == 1446 && link.mac == .test(2) && link.isUp && link.alias == Specs.alias)
      #expect(link.port?.learning == false && link.port?.isolated == true && link.port?.floods == false)
      #expect(try kernel.ensureGRE(spec) == .unchanged(index: first.index))
      let shown = try sh("ip -d link show \(spec.name)")
      for part in ["remote \(spec.remote) local \(spec.local)", "ikey 0.0.0.77", "okey 0.0.0.77"] {
        #expect(shown.contains(part), "\(shown)")
      }
      for part in isV6 ? ["ip6gretap", "hoplimit 64", "encaplimit none"] : ["gretap", "ttl 64"] {
        #expect(shown.contains(part), "\(shown)")
      }
      for part in ["csum", "seq", "nopmtudisc"] { #expect(!shown.contains(" \(part)"), "\(shown)") }
      #expect(try sh("ip -6 addr show dev \(spec.name)").isEmpty)
    }
  }

  static let damages = [
    "mtu 1300", "down", "address 02:00:00:00:00:99", "type bridge_slave learning on", "type bridge_slave isolated off",
    "type bridge_slave mcast_flood on", "nomaster",
    "type KIND remote 9 local 1 ikey 77 okey 77", "type KIND remote 2 local 8 ikey 77 okey 77",
    "type KIND remote 2 local 1 ikey 77 okey 77 ttl 3", "type KIND remote 2 local 1 ikey 77 okey 77 tos 4",
    "type KIND remote 2 local 1 ikey 77 okey 77 HEADER",
  ]

  @Test(arguments: damages, [false, true])
  func aDeviceThatSomeoneChangedIsRepairedWhileItLives(damage: String, isV6: Bool) throws {
    try withBridge { kernel, bridge in
      let spec = try spec(isV6)
      let index = try kernel.ensureGRE(spec).index
      let words = damage.split(separator: " ").map(String.init)
      let whole = words.enumerated().map { place, word in
        switch word {
        case "KIND": isV6 ? "ip6gretap" : "gretap"
        case _ where place > 0 && ["remote", "local"].contains(words[place - 1]):
          (isV6 ? "2001:db8::" : "192.0.2.") + word
        case "tos" where isV6: "tclass"
        case "HEADER": isV6 ? "encaplimit 4" : "nopmtudisc"
        default: word
        }
      }
      try sh("ip link set \(spec.name) \(whole.joined(separator: " "))")
      #expect(try kernel.link(named: spec.name)?.satisfies(spec, bridge: bridge) == false, "\(damage) is seen")
      #expect(try kernel.ensureGRE(spec) == .changed(index: index))
      #expect(try kernel.link(named: spec.name)?.satisfies(spec, bridge: bridge) == true)
      #expect(try kernel.link(named: spec.name)?.port?.floods == false)
      #expect(try kernel.ensureGRE(spec) == .unchanged(index: index))
    }
  }

  @Test(arguments: [false, true])
  func itsEndsAndItsMTUChangeInPlaceAndWhatHangsOnItStays(isV6: Bool) throws {
    try withBridge { kernel, bridge in
      let index = try kernel.ensureGRE(try spec(isV6)).index
      #expect(kernel.apply([.setPort(.test(9), port: index), .setFlooding(port: index, true)]).isEmpty)
      for spec in [try spec(isV6, remote: 3), try spec(isV6, local: 4, remote: 3, mtu: 1400)] {
        #expect(try kernel.ensureGRE(spec) == .changed(index: index))
        let link = try #require(try kernel.link(named: spec.name))
        #expect(link.satisfies(spec, bridge: bridge) && link.mtu == spec.mtu && link.port?.floods == true)
        #expect(try kernel.forwardingEntries().contains { $0.mac == .test(9) && $0.device == index })
      }
    }
  }

  @Test func whatTheKernelCannotChangeIsNamed() throws {
    try withBridge { kernel, _ in
      try kernel.ensureGRE(try spec())
      for (spec, what) in [(try spec(vni: 78), "key"), (try spec(true), "kind of underlay address")] {
        let error = #expect(throws: KernelError.self) { _ = try kernel.ensureGRE(spec) }
        #expect(error == .unchangeable(name: "wr25.abc", what: what))
      }
      try sh("ip link set wr25.abc type gretap remote 192.0.2.2 local 192.0.2.1 ikey 77 okey 77 oseq")
      let error = #expect(throws: KernelError.self) { _ = try kernel.ensureGRE(try spec()) }
      #expect(error == .unchangeable(name: "wr25.abc", what: "key"), "flags beside the key")
    }
  }

  @Test func devicesOfOthersAreNotTouched() throws {
    try withBridge { kernel, _ in
      try sh("ip link add wr25.abc type gretap remote 192.0.2.9 local 192.0.2.1 ikey 9 okey 9")
      let before = try kernel.link(named: "wr25.abc")
      var error = #expect(throws: KernelError.self) { _ = try kernel.ensureGRE(try spec()) }
      #expect(error == .foreign(name: "wr25.abc", kind: "gretap", alias: nil))
      #expect(try kernel.link(named: "wr25.abc") == before)
      // Someone else's device between the same addresses with the same key: the kernel has room for one.
      try sh("ip link del wr25.abc && ip link add theirs type gretap remote 192.0.2.2 local 192.0.2.1 ikey 77 okey 77")
      error = #expect(throws: KernelError.self) { _ = try kernel.ensureGRE(try spec()) }
      #expect(error?.code == EEXIST)
      #expect(error?.description.contains("from 192.0.2.1 to 192.0.2.2 with key 77") == true)
      #expect(try kernel.link(named: "theirs")?.gre?.inputKey == 77)
    }
  }
}
