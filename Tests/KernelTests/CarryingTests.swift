import Kernel
import Testing
import Wire

@Suite struct CarryingTests {
  @Test(arguments: [false, true])
  func guestsOnTwoHostsReachEachOtherThroughTheFloodListAlone(isV6: Bool) throws {
    let pool = try TestPool(2, isV6: isV6)
    #expect(try pool.members[0].guest.run { pings("198.51.100.2") } == false, "nothing is flooded yet")
    pool.floodAll()
    #expect(try pool.members[0].guest.run { pings("198.51.100.2") })
    let entries = try pool.members[0].kernel.forwardingEntries()
    #expect(!entries.contains { $0.mac == pool.members[1].guestMAC }, "the tunnel learns nothing")
  }

  @Test func aFixedEntryAloneCarriesUnicastFrames() throws {
    let pool = try TestPool(2)
    for (member, other) in [(pool.members[0], pool.members[1]), (pool.members[1], pool.members[0])] {
      try member.kernel.replaceRemote(other.guestMAC, tunnel: member.tunnel, other.vtep)
      try member.guest.run {
        try sh("ip neigh add \(other.guestAddress) lladdr \(other.guestMAC) dev eth0 nud permanent")
      }
    }
    #expect(try pool.members[0].guest.run { pings("198.51.100.2") })
  }

  @Test func aGuestThatMovedIsReachedAfterOneReplace() throws {
    let pool = try TestPool(3)
    pool.floodAll()
    let (first, second, third) = (pool.members[0], pool.members[1], pool.members[2])
    #expect(try third.guest.run { pings(first.guestAddress) })
    // The guest of host 1 goes on as the guest of host 2: same MAC, same address.
    try first.guest.run { try sh("ip link set eth0 down") }
    try second.guest.run {
      try sh("ip link set eth0 address \(first.guestMAC) && ip addr add \(first.guestAddress)/24 dev eth0")
    }
    try third.kernel.replaceRemote(first.guestMAC, tunnel: third.tunnel, first.vtep)
    #expect(try third.guest.run { pings(first.guestAddress) } == false)
    try third.kernel.replaceRemote(first.guestMAC, tunnel: third.tunnel, second.vtep)
    #expect(try third.guest.run { pings(first.guestAddress) })
  }

  @Test func aHostTakenOffTheFloodListGetsNoBroadcasts() throws {
    let pool = try TestPool(3)
    pool.floodAll()
    let (first, second, third) = (pool.members[0], pool.members[1], pool.members[2])
    #expect(try first.guest.run { pings(third.guestAddress) })
    #expect(first.kernel.apply([.removeFlood(tunnel: first.tunnel, third.vtep)]).isEmpty)
    try first.guest.run { try sh("ip neigh flush all") }
    try third.guest.run { try sh("ip neigh flush all") }
    #expect(try first.guest.run { pings(third.guestAddress) } == false)
    #expect(try first.guest.run { pings(second.guestAddress) })
  }

  @Test func framesOfFullSizeAndWithATagPassBothWays() throws {
    let pool = try TestPool(2)
    pool.floodAll()
    for (index, member) in pool.members.enumerated() {
      try member.guest.run {
        guard (try? sh("ip link add link eth0 name v5 mtu 1442 type vlan id 5")) != nil else { return }
        try sh("ip addr add 203.0.113.\(index + 1)/24 dev v5 && ip link set v5 up")
      }
    }
    try pool.members[0].guest.run {
      #expect((try? sh("ping -c 2 -i 0.05 -W 1 -M do -s 1418 198.51.100.2")) != nil)
      if (try? sh("ip link show v5")) == nil {
        print("No VLAN devices on this kernel: tagged frames are not tried here.")
      } else {
        #expect(pings("203.0.113.2"))
      }
    }
  }
}
