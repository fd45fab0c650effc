import Kernel
import Namespaces
import Overlay
import Registry
import Testing
import Wire

@testable import Agent

@Suite struct KernelSideTests {
  private let id = NetworkID.test

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
    try withKernelSide { side in
      // A tunnel over IPv4 takes no entry that ends at an IPv6 address.
      let wanted = try input(
        id, remote: [.test(0x21): try .test("192.0.2.2")], flood: [try .test("2001:db8::2"), try .test("192.0.2.2")])
      for _ in 0..<3 {
        let outcome = side.bringAbout([wanted], gone: [], host: .test, now: .test, keeps: keepsNothing)
        #expect(outcome.failures.isEmpty)
        #expect(outcome.complaints[id] != nil, "found at each try")
        #expect(outcome.retries == [id])
      }
      #expect(try entries().contains("00:00:00:00:00:00 dst 192.0.2.2"), "what can be set is set")
      let better = try input(id, remote: wanted.remote, flood: [try .test("192.0.2.2")])
      let outcome = side.bringAbout([better], gone: [], host: .test, now: .test, keeps: keepsNothing)
      #expect(outcome.complaints.isEmpty && outcome.retries.isEmpty)
    }
  }

  @Test func aRemovalThatWasKeptIsDoneOnceItMayBe() throws {
    try withKernelSide { side in
      let mac = MACAddress.test(0x21)
      let full = try input(id, remote: [mac: try .test("192.0.2.2")], flood: [try .test("192.0.2.2")])
      _ = side.bringAbout([full], gone: [], host: .test, now: .test, keeps: keepsNothing)
      let bare = try input(id)
      for _ in 0..<2 {
        _ = side.bringAbout([bare], gone: [], host: .test, now: .test, keeps: { $0.isRemoval })
        #expect(try entries().contains("192.0.2.2"))
      }
      _ = side.bringAbout([bare], gone: [], host: .test, now: .test, keeps: keepsNothing)
      #expect(try entries().contains("192.0.2.2") == false)
    }
  }

  @Test func aTunnelThatSomeoneDeletedIsMadeAgainAfterALook() throws {
    try withKernelSide { side in
      let wanted = try input(id, flood: [try .test("192.0.2.2")])
      _ = side.bringAbout([wanted], gone: [], host: .test, now: .test, keeps: keepsNothing)
      let index = try #require(try side.network.link(named: "wx77")?.index)
      try sh("ip link del wx77")
      #expect(side.forget(index) == id)
      #expect(side.hasSeen(device: "wx77", of: id))
      side.lookAgain(at: [id])
      #expect(!side.hasSeen(device: "wx77", of: id))
      let outcome = side.bringAbout([wanted], gone: [], host: .test, now: .test, keeps: keepsNothing)
      #expect(outcome.failures.isEmpty && outcome.complaints.isEmpty)
      #expect(try entries().contains("00:00:00:00:00:00 dst 192.0.2.2"))
    }
  }

  @Test func aMACThatNobodyHasGoesFromBothTablesUnlessItIsKept() throws {
    try withKernelSide { side in
      let mac = MACAddress.test(0x21)
      _ = side.bringAbout([try input(id)], gone: [], host: .test, now: .test, keeps: keepsNothing)
      #expect(try side.setRemote(mac, network: id, at: try .test("192.0.2.2")))
      #expect(!side.remove(mac, network: id, keeps: { _ in true }))
      #expect(try entries().contains("\(mac)"))
      #expect(side.remove(mac, network: id, keeps: keepsNothing))
      #expect(try entries().contains("\(mac)") == false)
      #expect(side.remove(mac, network: id, keeps: keepsNothing), "there is nothing left to do")
    }
  }

  @Test func aMACThatComesBackHereLeavesTheTunnel() throws {
    try withKernelSide { side in
      let mac = MACAddress.test(0x21)
      _ = side.bringAbout([try input(id)], gone: [], host: .test, now: .test, keeps: keepsNothing)
      try addVIF()
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
    try withKernelSide { side in
      let inputs = try (0..<100).map { number in
        try input(NetworkID(high: 7, low: UInt64(number)), vni: 1000 + UInt32(number), bridge: "weft-n\(number)")
      }
      let clock = ContinuousClock()
      var outcome = KernelSide.Outcome()
      let all = clock.measure {
        outcome = side.bringAbout(inputs, gone: [], host: .test, now: .test, keeps: keepsNothing)
      }
      #expect(outcome.failures.isEmpty && outcome.complaints.isEmpty)
      #expect(side.observed.networks.count == 100)
      let again = clock.measure {
        outcome = side.bringAbout(
          inputs, gone: [], host: .test, now: .test,
          keeps: { _ in
            Issue.record("a step")
            return true
          })
      }
      print("100 networks: made in \(all), found as wanted in \(again)")
    }
  }
}
