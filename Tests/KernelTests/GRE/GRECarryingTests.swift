import Agent
import Kernel
import Namespaces
import Overlay
import Testing
import Wire

@Suite(KernelLab.hasGRE) struct GRECarryingTests {
  @Test(arguments: [false, true])
  func guestsOnThreeHostsReachEachOtherByFloodingAlone(isV6: Bool) throws {
    let pool = try OverlayPool(3, isV6: isV6)
    #expect(try pool.pings(from: 0, to: 1) == false, "nothing is flooded yet")
    try pool.settleAll()
    for (from, to) in [(0, 1), (1, 2), (2, 0)] { #expect(try pool.pings(from: from, to: to)) }
    let network = pool.networks[0]
    let entries = try pool.members[0].host.run { try pool.members[0].kernel.forwardingEntries() }
    #expect(!entries.contains { $0.mac == OverlayPool.guestMAC(1, network) }, "the tunnels learn nothing")
  }

  @Test func aFixedEntryAloneCarriesUnicastFrames() throws {
    let pool = try OverlayPool(3)
    let network = pool.networks[0]
    for (index, other) in [(0, 1), (1, 0)] {
      try pool.settle(index) { input, network in
        input.flood = []
        input.remote[OverlayPool.guestMAC(other, network)] = pool.members[other].vtep
      }
      try pool.members[index].guests[0].run {
        try sh(
          "ip neigh add \(OverlayPool.guestAddress(other, network)) lladdr \(OverlayPool.guestMAC(other, network)) dev eth0 nud permanent"
        )
      }
    }
    let count = try Witness(pool, at: [2])
    #expect(try pool.pings(from: 0, to: 1))
    #expect(try count.packets(to: 2) == 0)
  }

  /// A guest asks everybody for an address; the witness stands between the hosts.
  @Test(arguments: [false, true])
  func floodedFramesGoExactlyToTheHostsOnTheList(isV6: Bool) throws {
    let pool = try OverlayPool(4, isV6: isV6)
    for index in 1...3 { try pool.settle(index) }
    let witness = try Witness(pool, at: [1, 2, 3])
    for list in [[1], [1, 3], [2], [], [1, 2, 3]] {
      try pool.settle(0) { input, _ in input.flood = Set(list.map { pool.members[$0].vtep }) }
      let before = try (1...3).map { try witness.packets(to: $0) }
      try pool.members[0].guests[0].run { _ = try? sh("arping -c 2 -w 2 -I eth0 203.0.113.250 >/dev/null") }
      let after = try (1...3).map { try witness.packets(to: $0) }
      for (host, (before, after)) in zip(1...3, zip(before, after)) {
        #expect((after > before) == list.contains(host), "host \(host + 1) of list \(list): \(after - before) packets")
      }
    }
  }

  @Test func nothingGoesFromTunnelToTunnel() throws {
    let pool = try OverlayPool(3)
    // Host 1 knows only host 2, which floods to all.
    try pool.settle(0) { input, _ in input.peers = input.peers.filter { $0.key == pool.members[1].id } }
    try pool.settle(1)
    try pool.settle(2)
    let witness = try Witness(pool, at: [1, 2])
    let ask = {
      try pool.members[0].guests[0].run { _ = try? sh("arping -c 2 -w 2 -I eth0 203.0.113.250 >/dev/null") }
    }
    try ask()
    #expect(try witness.packets(to: 1) >= 2)
    #expect(try witness.packets(to: 2) == 0)
    try pool.members[1].host.run {
      for other in [0, 2] {
        try sh("ip link set \(OverlayPool.tunnel(to: other, pool.networks[0])) type bridge_slave isolated off")
      }
    }
    try ask()
    #expect(try witness.packets(to: 2) > 0, "without isolation it would")
    try pool.settle(1)
    let before = try witness.packets(to: 2)
    try ask()
    #expect(try witness.packets(to: 2) == before)
  }

  @Test func aGuestThatMovedIsReachedAfterOneReplace() throws {
    let pool = try OverlayPool(3)
    let network = pool.networks[0]
    let (mac, address) = (OverlayPool.guestMAC(0, network), OverlayPool.guestAddress(0, network))
    for index in 0..<3 {
      try pool.settle(index) { input, _ in if index != 0 { input.remote[mac] = pool.members[0].vtep } }
    }
    #expect(try pool.pings(from: 2, to: 0))
    // The guest of host 1 goes on as the guest of host 2: same MAC, same address.
    try pool.members[0].guests[0].run { try sh("ip link set eth0 down") }
    try pool.members[1].host.run {
      let kernel = pool.members[1].kernel
      let port = try #require(try kernel.link(named: "vif2.1"))
      try kernel.replacePort(mac, port: port.index)
    }
    try pool.members[1].guests[0].run {
      try sh("ip link set eth0 address \(mac) && ip addr add \(address)/24 dev eth0")
    }
    #expect(try pool.members[2].guests[0].run { pings(address) } == false)
    try pool.members[2].host.run {
      let kernel = pool.members[2].kernel
      let monitor = try KernelMonitor()
      let port = try #require(try kernel.link(named: OverlayPool.tunnel(to: 1, network)))
      try kernel.replacePort(mac, port: port.index)
      let gone = try monitor.receive().filter { if case .entryGone = $0 { true } else { false } }
      #expect(gone.isEmpty, "replaced, never deleted and added")
    }
    #expect(try pool.members[2].guests[0].run { pings(address) })
  }

  @Test(arguments: [false, true])
  func aHostsNewAddressIsFollowedInPlace(isV6: Bool) throws {
    let pool = try OverlayPool(3, isV6: isV6)
    try pool.settleAll()
    #expect(try pool.pings(from: 0, to: 1))
    let name = OverlayPool.tunnel(to: 1, pool.networks[0])
    let before = try pool.members[0].host.run { try pool.members[0].kernel.link(named: name)?.index }
    try pool.move(1, to: 12)
    #expect(try pool.pings(from: 0, to: 1) == false)
    #expect(try pool.settle(0) == 1, "one change: the end of one tunnel")
    #expect(try pool.settle(2) == 1)
    #expect(try pool.settle(1) == 2, "its own end of two tunnels")
    for (from, to) in [(0, 1), (1, 2), (2, 0)] { #expect(try pool.pings(from: from, to: to)) }
    let after = try pool.members[0].host.run { try pool.members[0].kernel.link(named: name)?.index }
    #expect(before != nil && before == after)
  }

  /// IPv4: 20 of IP, 8 of GRE with its key, 14 of Ethernet, 4 for a VLAN tag of the guest.
  @Test(arguments: [(false, 1446 + 46), (true, 1446 + 66)])
  func packetsOfFullSizePassOverTheSmallestUnderlayThatFitsThem(isV6: Bool, underlay: Int) throws {
    let pool = try OverlayPool(2, isV6: isV6, mtu: underlay)
    try pool.settleAll()
    let address = OverlayPool.guestAddress(1, pool.networks[0])
    for member in pool.members {
      try member.guests[0].run {
        try sh("ip link add link eth0 name tagged mtu 1446 type vlan id 5 && ip link set tagged up")
        try sh("ip addr add 198.51.100.\(member.id == pool.members[0].id ? 1 : 2)/24 dev tagged")
      }
    }
    try pool.members[0].guests[0].run {
      #expect((try? sh("ping -c 2 -i 0.05 -W 2 -M do -s 1418 \(address)")) != nil)
      #expect((try? sh("ping -c 1 -W 1 -M do -s 1419 \(address)")) == nil)
      #expect((try? sh("ping -c 2 -i 0.05 -W 2 -M do -s 1418 198.51.100.2")) != nil, "with a VLAN tag")
    }
  }

  @Test func networksOfBothKindsStandSideBySideAndDoNotMeet() throws {
    let pool = try OverlayPool(2, [.gre, .vxlan, .gre, .vxlan])
    try pool.settleAll()
    for network in 0..<4 {
      #expect(try pool.pings(from: 0, to: 1, network) && pool.pings(from: 1, to: 0, network))
      for other in 0..<4 where other != network {
        let address = OverlayPool.guestAddress(1, pool.networks[other])
        #expect(
          try pool.members[0].guests[network].run { (try? sh("ping -c 1 -W 1 \(address)")) == nil },
          "network \(network) reaches network \(other)")
      }
    }
  }
}
