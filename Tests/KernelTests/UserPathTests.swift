import CLinux
import DataPath
import Glibc
import Kernel
import Namespaces
import Overlay
import Registry
import Testing
import Wire

@testable import Agent

/// Networks that the agent carries itself, as the overlay brings them about: a TAP in the bridge, its entries in the
/// bridge's table and in the packet path.
@Suite struct UserPathTests {
  /// Of a host before its first sync.
  private let keepsAll: (Change) -> Bool = { $0.isRemoval }

  /// In a namespace with an underlay.
  private func withUnderlay(_ body: () throws -> Void) throws {
    try Namespace().run {
      try addUnderlay()
      try body()
    }
  }

  private func withSide(_ body: (KernelSide) throws -> Void) throws {
    let side = try KernelSide(underlay: "192.0.2.1", dataPlane: .user)
    side.enter(pool: "test")
    defer { side.userPath?.path.stop() }
    try #require(side.choice.path == .user, "\(side.choice.reason)")
    try body(side)
  }

  private func input(
    _ id: NetworkID = .test, vni: UInt32 = 77, bridge: String = "weft-blue", encapsulation: Encapsulation = .vxlan
  ) throws -> NetworkPlanInput {
    NetworkPlanInput(
      id: id, name: bridge, vni: try .test(vni), bridge: bridge, encapsulation: encapsulation, encryption: .required,
      mtu: 1404, localVTEP: try .test("192.0.2.1"),
      remote: [.test(0x21): try .test("192.0.2.2"), .test(0x31): try .test("192.0.2.3")],
      flood: [try .test("192.0.2.2"), try .test("192.0.2.3")])
  }

  private func bringAbout(
    _ side: KernelSide, _ inputs: [NetworkPlanInput], keeps: (Change) -> Bool, _ at: SourceLocation = #_sourceLocation
  ) {
    let outcome = side.bringAbout(inputs, gone: [], host: .test, now: .test, keeps: keeps)
    #expect(outcome.failures.isEmpty && outcome.complaints.isEmpty, sourceLocation: at)
  }

  private func entries(_ device: String = "wt77") throws -> String { try sh("bridge fdb show dev \(device)") }

  @Test(arguments: [Encapsulation.vxlan, .gre]) func aNetworkStandsOnATAPAndInThePacketPath(_ kind: Encapsulation)
    throws
  {
    try withUnderlay {
      try withSide { side in
        let input = try input(encapsulation: kind)
        bringAbout(side, [input], keeps: keepsAll)
        let forwarding = try #require(side.userPath?.path.forwarding(of: input.vni))
        #expect(forwarding.remotes == input.remote && forwarding.flood == input.flood && forwarding.mtu == 1404)
        #expect(Encapsulation(forwarding.encapsulation) == kind)
        #expect(try entries().contains("\(MACAddress.test(0x21)) master weft-blue static"))
        let link = try #require(try side.network.link(named: "wt77"))
        #expect(link.isUp && link.hasCarrier && link.mtu == 1404)
        let (monitor, before) = (try KernelMonitor(), try side.network.links())
        bringAbout(side, [input], keeps: keepsNothing)
        #expect(try monitor.receive().changes(since: before).isEmpty, "it stands as wanted, so nothing is touched")
      }
    }
  }

  @Test func aMACThatMovesIsTurnedAtOnceInBothTables() throws {
    try withUnderlay {
      try withSide { side in
        let (input, mac) = (try input(), MACAddress.test(0x21))
        bringAbout(side, [input], keeps: keepsNothing)
        _ = try side.refreshLinks()
        #expect(try side.setRemote(mac, network: .test, at: .test("192.0.2.9")))
        #expect(side.userPath?.path.forwarding(of: input.vni)?.remotes[mac] == (try .test("192.0.2.9")))
        try sh("ip link add vif1.0 type veth peer name g && ip link set vif1.0 master weft-blue up")
        let port = try #require(try side.network.link(named: "vif1.0"))
        side.remember(port)
        #expect(side.setLocal(mac, network: .test, port: port.index) == nil)
        #expect(side.userPath?.path.forwarding(of: input.vni)?.remotes[mac] == nil)
        #expect(try entries("vif1.0").contains("\(mac)") && !entries().contains("\(mac)"))
        #expect(try side.setRemote(mac, network: .test, at: .test("192.0.2.3")))
        #expect(try entries().contains("\(mac)") && !entries("vif1.0").contains("\(mac)"))
      }
    }
  }

  @Test func aTAPThatSomeoneDeletedIsMadeAgainWithAllItsEntries() throws {
    try withUnderlay {
      try withSide { side in
        let input = try input()
        bringAbout(side, [input], keeps: keepsNothing)
        try sh("ip link del wt77")
        side.lookAgain(at: [.test])
        bringAbout(side, [input], keeps: keepsNothing)
        #expect(side.userPath?.path.forwarding(of: input.vni)?.remotes == input.remote)
        #expect(try entries().contains("\(MACAddress.test(0x31)) master weft-blue static"))
        #expect(try side.network.link(named: "wt77")?.hasCarrier == true, "a queue of the new device is open")
      }
    }
  }

  @Test func whatTheKernelCarriedIsReplacedAndItsProtectionGoesBehindItsLastTunnel() throws {
    try withUnderlay {
      let (blue, red) = (try input(), try input(.other, vni: 78, bridge: "weft-red"))
      let protection = try Protection(KernelAbilities.Protection())
      protection.close(greKeys: [])
      let left = OverlayState.desired(
        [blue, red], pool: "test", host: .test, mechanisms: [.kernelVXLANInESP, .kernelGREInESP])
      #expect(try OverlayApplier(kernel: KernelNetwork(), pool: "test").reconcile(to: left.state).errors.isEmpty)
      try withSide { side in
        try side.refresh([blue], host: .test)
        bringAbout(side, [blue], keeps: keepsAll)
        #expect(try side.network.link(named: "wx77") == nil && side.network.link(named: "wt77") != nil)
        #expect(try side.network.link(named: "wx78") != nil, "nobody knows of this network yet")
        #expect(side.leftProtection != nil)
        #expect(try !sh("ip xfrm policy").isEmpty && !sh("nft list ruleset").isEmpty)
        _ = side.bringAbout([blue], gone: [.other], host: .test, now: .test, keeps: keepsNothing)
        #expect(try side.network.link(named: "wx78") == nil)
        #expect(side.leftProtection == nil)
        #expect(try sh("ip xfrm policy").isEmpty)
        #expect(try !sh("nft list ruleset").contains("ipsec"))
      }
    }
  }

  private func later(_ seconds: Int) -> Instant { .test + .seconds(seconds) }

  @Test(
    "What closes tunnels stays while any stands that it may close, of whatever pool",
    arguments: [
      ("type vxlan id 99 dstport 7679 local 192.0.2.1", "weft:other:22222222-2222-4222-8222-222222222222"),
      ("type vxlan id 99 dstport 7679 local 192.0.2.1", ""),
    ])
  func strangeTunnels(_ device: String, alias: String) throws {
    try withUnderlay {
      let blue = try input()
      try Protection(KernelAbilities.Protection()).close(greKeys: [])
      try sh("ip link add wx99 \(device)")
      if !alias.isEmpty { try sh("ip link set wx99 alias \(alias)") }
      try withSide { side in
        bringAbout(side, [blue], keeps: keepsAll)
        #expect(side.leftProtection?.complaint?.contains("wx99") == true)
        #expect(side.removeAll().contains { $0.contains("wx99") }, "leaving the pool opens nothing either")
        #expect(try !sh("ip xfrm policy").isEmpty && sh("nft list ruleset").contains("ipsec"))
        try sh("ip link del wx99")
        side.removeLeftProtection(now: .test)
        #expect(side.leftProtection != nil, "the next try has to wait")
        side.removeLeftProtection(now: later(2))
        #expect(side.leftProtection == nil)
        #expect(try sh("ip xfrm policy").isEmpty && !sh("nft list ruleset").contains("ipsec"))
      }
    }
  }

  @Test func whatClosesTunnelsStaysIfTheyCannotBeListed() {
    let need = LeftProtection.need({ throw KernelError.malformed("links") }, { _ in true })
    #expect(need?.contains("not known which tunnels stand") == true)
    #expect(LeftProtection.need({ [] }, { _ in false }) == nil)
  }

  @Test func aHostThatLeavesCarriesNothingAndHasNoKeysWhateverElseFails() throws {
    try withUnderlay {
      try withSide { side in
        bringAbout(side, [try input()], keeps: keepsNothing)
        let path = try #require(side.userPath?.path)
        try path.addInbound(
          try #require(SPI(0x1001)), from: .test("192.0.2.2"), material: [UInt8](repeating: 1, count: 36))
        #expect(!path.openNetworks.isEmpty && !path.associations.isEmpty)
        _ = side.removeProtection(areTunnelsGone: false)
        #expect(path.openNetworks.isEmpty && path.associations.isEmpty)
      }
    }
  }

  @Test func aNetworkThatThePathDoesNotCarryTakesNoEntryAndIsOpenedAgain() throws {
    try withUnderlay {
      try withSide { side in
        let (input, mac) = (try input(), MACAddress.test(0x21))
        bringAbout(side, [input], keeps: keepsNothing)
        _ = try side.refreshLinks()
        side.userPath?.close(input.vni)
        #expect(try !side.setRemote(mac, network: .test, at: .test("192.0.2.9")))
        #expect(side.observed.networks[.test]?.tunnelEntries[mac] == (try .test("192.0.2.2")), "not taken for done")
        side.lookAgain(at: [.test])
        bringAbout(side, [input], keeps: keepsNothing)
        #expect(side.userPath?.path.forwarding(of: input.vni)?.remotes == input.remote)
      }
    }
  }

  @Test func aNetworkWhoseTAPWentWhileItWasTakenUpTakesNoEntry() throws {
    try withUnderlay {
      try withSide { side in
        let (input, mac) = (try input(), MACAddress.test(0x21))
        bringAbout(side, [input], keeps: keepsNothing)
        let (path, tunnel) = (
          try #require(side.userPath), try #require(side.observed.networks[.test]?.tunnels["wt77"])
        )
        #expect(path.carries(input.vni, by: "wt77"))
        try sh("ip link del wt77")
        #expect(throws: DataPathError.self) { try path.ensure(tunnel, .vxlan, isNew: true) }
        #expect(!path.carries(input.vni, by: "wt77"))
        #expect(try !side.setRemote(mac, network: .test, at: .test("192.0.2.9")))
        side.lookAgain(at: [.test])
        bringAbout(side, [input], keeps: keepsNothing)
        #expect(path.path.forwarding(of: input.vni)?.remotes == input.remote)
      }
    }
  }

  @Test func aStrangeDeviceWithOurMarkGetsNoEntriesOfANetworkAndIsRemovedWithoutIt() throws {
    try withUnderlay {
      try withSide { side in
        let input = try input(vni: 1)
        bringAbout(side, [input], keeps: keepsNothing)
        try sh("ip tuntap add odd0 mode tap && ip link set odd0 alias weft:test:\(NetworkID.other)")
        try side.refresh([input], host: .test)
        #expect(side.observed.networks[.other]?.tunnelEntries == [:])
        #expect(side.observed.networks[.other]?.flood == [])
        _ = side.bringAbout([input], gone: [.other], host: .test, now: .test, keeps: keepsNothing)
        #expect(try side.network.link(named: "odd0") == nil)
        #expect(side.userPath?.path.forwarding(of: input.vni)?.remotes == input.remote)
      }
    }
  }

  @Test func aPortThatIsTakenIsToldWithWhoHasItAndTakenOnceItIsFree() throws {
    try withUnderlay {
      let holder = try ESPInUDPSocket(local: .test("192.0.2.1"))
      try withExtendedLifetime(holder) {
        try withSide { side in
          let complaint = try #require(side.userPath?.bindComplaint)
          #expect(complaint.contains("(process \(getpid())) has") && complaint.contains("ss -lunp"))
          side.followUserPath()
          #expect(side.userPath?.bindComplaint != nil)
        }
      }
    }
    try withUnderlay {
      var holder: ESPInUDPSocket? = try ESPInUDPSocket(local: .test("192.0.2.1"))
      try withSide { side in
        #expect(side.userPath?.bindComplaint != nil && holder != nil)
        holder = nil
        // A program that is being started beside this test has a copy of the port for a moment.
        let isBound = eventually {
          side.followUserPath()
          return side.userPath?.bindComplaint == nil
        }
        #expect(isBound && side.userPath?.local == side.underlay.address)
      }
    }
  }

  @Test func aSocketThatCannotBeWatchedIsMadeAgain() throws {
    struct Unwatchable: Error {}
    try withUnderlay {
      let listener = ESPInUDPListener()
      let local = try VTEP.test("192.0.2.1")
      #expect(throws: Unwatchable.self) {
        try listener.follow(local, unwatch: { _ in }, watch: { _ in throw Unwatchable() })
      }
      #expect(listener.socket == nil && listener.failure != nil)
      var watched = 0
      // A program that is being started beside this test has a copy of the port for a moment.
      let isMade = eventually {
        listener.follow(local, unwatch: { _ in }, watch: { _ in watched += 1 })
        return listener.socket != nil
      }
      #expect(isMade && watched == 1 && listener.failure == nil)
    }
  }

  @Test func whatGuestsSendFasterThanThePathTakesItIsToldByNetwork() throws {
    try withUnderlay {
      try withSide { side in
        let input = try input()
        bringAbout(side, [input], keeps: keepsNothing)
        let bridge = try #require(try side.network.link(named: "weft-blue")).index
        #expect(side.tapOverflow(of: .test) == 0)
        // A queue that nobody reads gets its share of the flows.
        let queue = weft_tun_attach("wt77")
        try #require(queue >= 0)
        defer { close(queue) }
        let guest = try FrameSource("vif1.0", side.network, bridge: bridge)
        for _ in 0..<20 where side.tapOverflow(of: .test) == 0 { guest.send(5000) }
        #expect(side.tapOverflow(of: .test) > 0)
        let all = side.tapOverflows(try side.network.links())
        #expect(all.count == 1 && all[input.vni] ?? 0 > 0)
        #expect(side.tapOverflow(of: .other) == 0)
      }
    }
  }

  @Test func aRunThatIsLeftTheChoiceGoesOnWithTheTAPsOfTheOneBefore() throws {
    try withUnderlay {
      try withSide { side in bringAbout(side, [try input()], keeps: keepsNothing) }
      let side = try KernelSide(underlay: "192.0.2.1", dataPlane: .auto)
      defer { side.userPath?.path.stop() }
      #expect(side.choice.goesOn && side.choice.path == .user && side.kernelAbilities == nil)
    }
  }

  @Test func aTAPOfAnEarlierRunMakesRoomForTheKernelsTunnel() throws {
    try withUnderlay {
      let input = try input()
      try withSide { side in bringAbout(side, [input], keeps: keepsNothing) }
      let wanted = OverlayState.desired([input], pool: "test", host: .test, mechanisms: [.kernelVXLANInESP]).state
      let applier = OverlayApplier(kernel: try KernelNetwork(), pool: "test")
      #expect(try applier.reconcile(to: wanted).errors.isEmpty)
      #expect(try applier.reconcile(to: wanted).changeCount == 0)
      let kernel = try KernelNetwork()
      #expect(try kernel.link(named: "wt77") == nil && kernel.link(named: "wx77") != nil)
    }
  }
}
