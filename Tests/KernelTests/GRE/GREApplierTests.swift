import Agent
import Kernel
import Namespaces
import Overlay
import Testing
import Wire

@Suite(KernelLab.hasGRE) struct GREApplierTests {
  @Test func aSecondApplierFindsNothingToDo() throws {
    let pool = try OverlayPool(3, [.gre, .vxlan])
    try pool.settleAll()
    let wanted = pool.desired(0)
    try pool.members[0].host.run {
      let (monitor, kernel) = (try KernelMonitor(), try KernelNetwork())
      let before = try kernel.links()
      let second = OverlayApplier(kernel: kernel, pool: "test")
      let outcome = try second.reconcile(to: wanted)
      #expect(outcome.errors.isEmpty && outcome.changeCount == 0)
      #expect(try monitor.receive().changes(since: before).isEmpty, "a restart touches nothing")
    }
  }

  @Test func whatSomeoneChangedByHandIsPutRight() throws {
    let pool = try OverlayPool(3)
    let network = pool.networks[0]
    let change: (inout NetworkPlanInput, OverlayPool.Network) -> Void = { input, network in
      input.flood = [pool.members[1].vtep]
      for other in 1...2 { input.remote[OverlayPool.guestMAC(other, network)] = pool.members[other].vtep }
    }
    try pool.settle(0, change)
    let (first, second) = (OverlayPool.tunnel(to: 1, network), OverlayPool.tunnel(to: 2, network))
    for damage in [
      "ip link set \(first) type bridge_slave flood off mcast_flood off bcast_flood off",
      "ip link set \(second) type bridge_slave flood on mcast_flood on bcast_flood on",
      "ip link set \(second) type bridge_slave bcast_flood on",
      "ip link set \(first) type bridge_slave bcast_flood off",
      "bridge fdb del \(OverlayPool.guestMAC(1, network)) dev \(first) master",
      "bridge fdb replace \(OverlayPool.guestMAC(2, network)) dev vif1.1 master static",
      "bridge fdb add 02:00:00:00:00:66 dev \(second) master static", "ip link set \(first) nomaster",
      "ip link del \(first)", "ip link set \(first) type gretap local 192.0.2.1 remote 192.0.2.66 ikey 77 okey 77",
      "ip link del \(first) && ip link add \(first) type gretap local 192.0.2.1 remote 192.0.2.66 ikey 9 okey 9 && ip link set \(first) alias weft:test:\(network.id)",
    ] {
      try pool.members[0].host.run { try sh(damage) }
      #expect(try pool.settle(0, change) > 0, "\(damage)")
      #expect(try pool.settle(0, change) == 0, "\(damage)")
      try pool.members[0].host.run {
        let kernel = pool.members[0].kernel
        #expect(try kernel.link(named: first)?.port?.floods == true)
        #expect(try kernel.link(named: second)?.port?.floods == false)
        let shown = try sh("bridge fdb show")
        #expect(shown.contains("\(OverlayPool.guestMAC(1, network)) dev \(first) master n1 static"))
        #expect(shown.contains("\(OverlayPool.guestMAC(2, network)) dev \(second) master n1 static"))
        #expect(!shown.contains("02:00:00:00:00:66"))
      }
    }
  }

  @Test func tunnelsToHostsThatLeftGoAndThoseOfOthersStay() throws {
    let pool = try OverlayPool(3)
    try pool.settleAll()
    try pool.members[0].host.run {
      try sh("ip link add theirs type gretap local 192.0.2.1 remote 192.0.2.3 ikey 5 okey 5")
      try sh("ip link add wr25.else type gretap local 192.0.2.1 remote 192.0.2.3 ikey 6 okey 6")
      try sh("ip link set wr25.else alias weft:elsewhere:\(pool.networks[0].id)")
    }
    try pool.settle(0) { input, _ in input.peers[pool.members[2].id] = nil }
    let names = try pool.members[0].host.run {
      Set(try pool.members[0].kernel.links().filter { $0.gre != nil && $0.gre?.remote != .v4(0) }.map(\.name))
    }
    #expect(names == ["theirs", "wr25.else", OverlayPool.tunnel(to: 1, pool.networks[0])])
    #expect(try pool.pings(from: 0, to: 1))
  }

  /// A host that was installed anew has another ID and the same address.
  @Test func aTunnelMakesRoomForThatOfAnotherHostAtItsAddress() throws {
    let pool = try OverlayPool(2)
    try pool.settleAll()
    let change: (inout NetworkPlanInput, OverlayPool.Network) -> Void = { input, _ in
      input.peers = [OverlayPool.hostID(9): pool.members[1].vtep]
    }
    try pool.settle(0, change)
    #expect(try pool.settle(0, change) == 0)
    try pool.forgetNeighbours()
    #expect(try pool.pings(from: 0, to: 1))
  }

  @Test(arguments: [false, true])
  func twoHostsThatExchangeTheirAddressesAreFollowed(isV6: Bool) throws {
    let pool = try OverlayPool(3, isV6: isV6)
    try pool.settleAll()
    try pool.move(1, to: 50)
    try pool.move(2, to: 2)
    try pool.move(1, to: 3)
    try pool.settleAll()
    for (from, to) in [(0, 1), (1, 2), (2, 0)] { #expect(try pool.pings(from: from, to: to)) }
  }

  @Test func aTunnelThatCannotBeMadeLeavesTheOthersStanding() throws {
    let pool = try OverlayPool(3)
    // A stranger's device is in the way of the tunnel to host 2.
    try pool.members[0].host.run {
      try sh("ip link del \(OverlayPool.tunnel(to: 1, pool.networks[0]))")
      try sh("ip link add theirs type gretap local 192.0.2.1 remote 192.0.2.2 ikey 77 okey 77")
    }
    for index in 1...2 { try pool.settle(index) }
    let wanted = pool.desired(0)
    let outcome = try pool.members[0].host.run { try pool.members[0].applier.reconcile(to: wanted) }
    #expect(outcome.errors.values.flatMap { $0 }.count == 1, "one error, of the tunnel itself")
    #expect(try pool.pings(from: 0, to: 2))
    try pool.members[0].host.run { try sh("ip link del theirs") }
    try pool.settleAll()
    #expect(try pool.pings(from: 0, to: 1))
  }

  @Test func aDeviceLeftWithoutItsMarkByAKilledAgentIsTakenOver() throws {
    let pool = try OverlayPool(2)
    let network = pool.networks[0]
    let name = OverlayPool.tunnel(to: 1, network)
    let mac = OverlayNames.mac(
      .tunnelTo(pool.members[1].id), network: network.id, host: pool.members[0].id)
    try pool.members[0].host.run {
      try sh("ip link del \(name)")
      try sh("ip link add \(name) address \(mac) type gretap local 192.0.2.1 remote 192.0.2.2 ikey 77 okey 77")
    }
    try pool.settleAll()
    #expect(
      try pool.members[0].host.run { try pool.members[0].kernel.link(named: name)?.alias } == "weft:test:\(network.id)")
    #expect(try pool.pings(from: 0, to: 1))
  }
}
