import Kernel
import Overlay
import Registry
import Testing
import Wire

@testable import Agent

@Suite struct KernelSideTests {
  private let host = HostID(high: 1, low: 2)
  private let id = NetworkID(high: 0x1111_1111_1111_4111, low: 0x8111_1111_1111_1111)
  private let now = Instant(nanoseconds: 1_000_000_000)
  private let keepsNothing: (Change) -> Bool = { _ in false }

  private func side() throws -> KernelSide {
    try sh("ip link add u0 mtu 1600 type veth peer name u1 && ip link set u0 up && ip addr add 192.0.2.1/24 dev u0")
    let side = try KernelSide(underlay: "192.0.2.1")
    side.enter(pool: "test")
    return side
  }

  private func input(
    _ id: NetworkID, vni: UInt32 = 77, bridge: String = "weft-blue", remote: [MACAddress: VTEP] = [:],
    flood: Set<VTEP> = []
  ) throws -> NetworkPlanInput {
    NetworkPlanInput(
      id: id, name: bridge, vni: try .test(vni), bridge: bridge, encapsulation: .vxlan, encryption: .off, mtu: 1446,
      localVTEP: try .test("192.0.2.1"), remote: remote, flood: flood)
  }

  private func entries() throws -> String { try sh("bridge fdb show dev wx77") }

  @Test func anEntryThatFailedIsNotTakenForDoneAndTheNetworkStandsWithAComplaint() throws {
    try TestHost().run {
      let side = try side()
      // A tunnel over IPv4 takes no entry that ends at an IPv6 address.
      let wanted = try input(
        id, remote: [.test(0x21): try .test("192.0.2.2")], flood: [try .test("2001:db8::2"), try .test("192.0.2.2")])
      for _ in 0..<3 {
        let outcome = side.bringAbout([wanted], gone: [], host: host, now: now, keeps: keepsNothing)
        #expect(outcome.failures.isEmpty)
        #expect(outcome.complaints[id] != nil, "found at each try")
        #expect(outcome.retries == [id])
      }
      #expect(try entries().contains("00:00:00:00:00:00 dst 192.0.2.2"), "what can be set is set")
      let better = try input(id, remote: wanted.remote, flood: [try .test("192.0.2.2")])
      let outcome = side.bringAbout([better], gone: [], host: host, now: now, keeps: keepsNothing)
      #expect(outcome.complaints.isEmpty && outcome.retries.isEmpty)
    }
  }

  @Test func aRemovalThatWasKeptIsDoneOnceItMayBe() throws {
    try TestHost().run {
      let side = try side()
      let mac = MACAddress.test(0x21)
      let full = try input(id, remote: [mac: try .test("192.0.2.2")], flood: [try .test("192.0.2.2")])
      _ = side.bringAbout([full], gone: [], host: host, now: now, keeps: keepsNothing)
      let bare = try input(id)
      for _ in 0..<2 {
        _ = side.bringAbout([bare], gone: [], host: host, now: now, keeps: { $0.isRemoval })
        #expect(try entries().contains("192.0.2.2"))
      }
      _ = side.bringAbout([bare], gone: [], host: host, now: now, keeps: keepsNothing)
      #expect(try entries().contains("192.0.2.2") == false)
    }
  }

  @Test func aTunnelThatSomeoneDeletedIsMadeAgainAfterALook() throws {
    try TestHost().run {
      let side = try side()
      let wanted = try input(id, flood: [try .test("192.0.2.2")])
      _ = side.bringAbout([wanted], gone: [], host: host, now: now, keeps: keepsNothing)
      let index = try #require(try side.network.link(named: "wx77")?.index)
      try sh("ip link del wx77")
      #expect(side.forget(index) == id)
      #expect(side.hasSeen(device: "wx77", of: id))
      side.lookAgain(at: [id])
      #expect(!side.hasSeen(device: "wx77", of: id))
      let outcome = side.bringAbout([wanted], gone: [], host: host, now: now, keeps: keepsNothing)
      #expect(outcome.failures.isEmpty && outcome.complaints.isEmpty)
      #expect(try entries().contains("00:00:00:00:00:00 dst 192.0.2.2"))
    }
  }

  @Test func aMACThatNobodyHasGoesFromBothTablesUnlessItIsKept() throws {
    try TestHost().run {
      let side = try side()
      let mac = MACAddress.test(0x21)
      _ = side.bringAbout([try input(id)], gone: [], host: host, now: now, keeps: keepsNothing)
      #expect(try side.setRemote(mac, network: id, at: try .test("192.0.2.2")))
      #expect(!side.remove(mac, network: id, keeps: { _ in true }))
      #expect(try entries().contains("\(mac)"))
      #expect(side.remove(mac, network: id, keeps: keepsNothing))
      #expect(try entries().contains("\(mac)") == false)
      #expect(side.remove(mac, network: id, keeps: keepsNothing), "there is nothing left to do")
    }
  }

  @Test func aMACThatComesBackHereLeavesTheTunnel() throws {
    try TestHost().run {
      let side = try side()
      let mac = MACAddress.test(0x21)
      _ = side.bringAbout([try input(id)], gone: [], host: host, now: now, keeps: keepsNothing)
      try sh("ip link add vif1.0 type veth peer name g && ip link set vif1.0 master weft-blue up && ip link set g up")
      _ = try side.refreshLinks()
      let port = try #require(try side.network.link(named: "vif1.0")?.index)
      #expect(try side.setRemote(mac, network: id, at: try .test("192.0.2.2")))
      #expect(!side.isLocal(mac, network: id, port: port))
      #expect(side.setLocal(mac, network: id, port: port) == nil)
      #expect(side.isLocal(mac, network: id, port: port))
      #expect(try sh("bridge fdb show dev vif1.0").contains("\(mac) master weft-blue static"))
      #expect(try entries().contains("\(mac)") == false)
    }
  }

  @Test func aHundredNetworksAreMadeInOneGoWithoutLookingAtEverythingForEach() throws {
    try TestHost().run {
      let side = try side()
      let inputs = try (0..<100).map { number in
        try input(NetworkID(high: 7, low: UInt64(number)), vni: 1000 + UInt32(number), bridge: "weft-n\(number)")
      }
      let clock = ContinuousClock()
      var outcome = KernelSide.Outcome()
      let all = clock.measure {
        outcome = side.bringAbout(inputs, gone: [], host: host, now: now, keeps: keepsNothing)
      }
      #expect(outcome.failures.isEmpty && outcome.complaints.isEmpty)
      #expect(side.observed.networks.count == 100)
      let again = clock.measure {
        outcome = side.bringAbout(
          inputs, gone: [], host: host, now: now,
          keeps: { _ in
            Issue.record("a step")
            return true
          })
      }
      print("100 networks: made in \(all), found as wanted in \(again)")
    }
  }
}
