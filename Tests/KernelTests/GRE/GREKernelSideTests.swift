import Kernel
import Namespaces
import Overlay
import Registry
import Testing
import Wire

@testable import Agent

@Suite(KernelLab.hasGRE) struct GREKernelSideTests {
  private let id = NetworkID.test

  private func input(_ peers: [Int], remote: [MACAddress: VTEP] = [:], flood: Set<VTEP> = []) throws
    -> NetworkPlanInput
  {
    var input = NetworkPlanInput(
      id: id, name: "blue", vni: try .test(77), bridge: "weft-blue", encapsulation: .gre, encryption: .off, mtu: 1446,
      localVTEP: try .test("192.0.2.1"), remote: remote, flood: flood)
    for peer in peers { input.peers[OverlayPool.hostID(peer)] = try .test("192.0.2.\(peer)") }
    return input
  }

  private func bring(_ side: KernelSide, _ input: NetworkPlanInput, keeps: (Change) -> Bool = { _ in false }) {
    let outcome = side.bringAbout([input], gone: [], host: .test, now: .test, keeps: keeps)
    #expect(outcome.failures.isEmpty && outcome.complaints.isEmpty)
  }

  @Test func aMACThatMovesIsOneReplaceOnceThereIsATunnelToItsHost() throws {
    try withKernelSide { side in
      let mac = MACAddress.test(0x21)
      bring(side, try input([2, 3]))
      #expect(try side.setRemote(mac, network: id, at: try .test("192.0.2.2")))
      #expect(try sh("bridge fdb show").contains("\(mac) dev wr25.2 master weft-blue static"))
      #expect(side.vtep(of: mac, tunnel: "wr25.2") == (try .test("192.0.2.2")))
      #expect(try side.setRemote(mac, network: id, at: try .test("192.0.2.3")))
      let shown = try sh("bridge fdb show")
      #expect(shown.contains("\(mac) dev wr25.3 master") && !shown.contains("\(mac) dev wr25.2"))
      #expect(try side.setRemote(mac, network: id, at: try .test("192.0.2.4")) == false)
      #expect(try sh("bridge fdb show").contains("\(mac) dev wr25.3 master"), "as it was until there is a tunnel")
      let moved = try input([2, 3, 4], remote: [mac: try .test("192.0.2.4")])
      bring(side, moved)
      #expect(try sh("bridge fdb show").contains("\(mac) dev wr25.4 master"))
      bring(
        side, moved,
        keeps: { _ in
          Issue.record("a step")
          return true
        })
    }
  }

  @Test func aMACThatComesBackHereLeavesTheTunnelAndOneThatNobodyHasGoes() throws {
    try withKernelSide { side in
      let mac = MACAddress.test(0x21)
      bring(side, try input([2]))
      try addVIF()
      _ = try side.refreshLinks()
      let port = try #require(try side.network.link(named: "vif1.0")?.index)
      #expect(try side.setRemote(mac, network: id, at: try .test("192.0.2.2")))
      #expect(!side.isLocal(mac, network: id, port: port))
      #expect(side.setLocal(mac, network: id, port: port) == nil)
      #expect(side.isLocal(mac, network: id, port: port))
      #expect(try sh("bridge fdb show").contains("\(mac) dev vif1.0 master weft-blue static"))
      #expect(try side.setRemote(mac, network: id, at: try .test("192.0.2.2")))
      #expect(!side.remove(mac, network: id, keeps: { _ in true }))
      #expect(side.remove(mac, network: id, keeps: keepsNothing))
      #expect(try sh("bridge fdb show").contains("\(mac)") == false)
    }
  }

  @Test func theTunnelOfAHostThatLeftStaysAsLongAsItIsKept() throws {
    try withKernelSide { side in
      let other = try VTEP.test("192.0.2.3")
      bring(side, try input([2, 3], flood: [other]))
      for _ in 0..<2 {
        let outcome = side.bringAbout([try input([2])], gone: [], host: .test, now: .test) {
          if case .removeTunnel(_, _, other?) = $0 { true } else { false }
        }
        #expect(outcome.failures.isEmpty)
        #expect(try side.network.link(named: "wr25.3")?.port?.floods == true)
      }
      bring(side, try input([2]))
      #expect(try side.network.link(named: "wr25.3") == nil)
    }
  }

  @Test func whatSomeoneDoesToATunnelIsSeenAndWhatThisAgentDoesIsNot() throws {
    try withKernelSide { side in
      let other = try VTEP.test("192.0.2.2")
      func isSeen() throws -> Bool {
        let link = try #require(try side.network.link(named: "wr25.2"))
        side.linkChanged(link)
        return side.isAsSeen(link)
      }
      bring(side, try input([2, 3]))
      #expect(try isSeen())
      bring(side, try input([2, 3], flood: [other]))
      #expect(try isSeen(), "this agent turned the flooding on")
      for damage in [
        "ip link set wr25.2 type bridge_slave bcast_flood off", "ip link set wr25.2 down",
        "ip link set wr25.2 type gretap local 192.0.2.1 remote 192.0.2.66 ikey 77 okey 77",
      ] {
        try sh(damage)
        #expect(try isSeen() == false, "\(damage)")
        side.lookAgain(at: [id])
        bring(side, try input([2, 3], flood: [other]))
        #expect(try isSeen(), "\(damage)")
      }
      let index = try #require(try side.network.link(named: "wr25.2")?.index)
      try sh("ip link del wr25.2")
      #expect(side.forget(index) == id && side.hasSeen(device: "wr25.2", of: id))
      #expect(try side.setRemote(.test(0x21), network: id, at: other) == false)
      side.lookAgain(at: [id])
      bring(side, try input([2, 3], flood: [other]))
      #expect(try side.setRemote(.test(0x21), network: id, at: other))
    }
  }
}
