import Glibc
import Kernel
import Namespaces
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

  @Test func packetsOfFullSizePassAndLargerOnesDoNot() throws {
    let pool = try TestPool(2)
    pool.floodAll()
    try pool.members[0].guest.run {
      #expect(pings("198.51.100.2"))
      #expect((try? sh("ping -c 1 -W 5 -M do -s 1418 198.51.100.2")) != nil)
      #expect((try? sh("ping -c 1 -W 1 -M do -s 1419 198.51.100.2")) == nil)
    }
  }

  @Test func aTaggedFrameArrivesWithItsTag() throws {
    let pool = try TestPool(2)
    pool.floodAll()
    let (first, second) = (pool.members[0], pool.members[1])
    let capture = "/tmp/weft-kernel-tests-\(getpid())-tag.pcap"
    defer { unlink(capture) }
    let mac = MACAddress.test(0x77)
    let payload = [UInt8](repeating: 0xa5, count: 50)
    let frame = MACAddress.broadcast.octets + mac.octets + [0x81, 0, 0x20, 5, 0x88, 0xb5] + payload
    try second.guest.run {
      try sh("tcpdump -Z root -i eth0 -U -c 1 -w \(capture) ether src \(mac) </dev/null >/dev/null 2>&1 &")
    }
    let sender = try first.guest.run {
      let link = try #require(try KernelNetwork().link(named: "eth0"))
      return try VIFTap(interface: link.index, mode: .announcements)
    }
    // Sent until the capture, which takes a moment to stand, has one and ends.
    var shown = ""
    for _ in 0..<50 where shown.isEmpty {
      #expect(Glibc.send(sender.descriptor, frame, frame.count, 0) == frame.count)
      usleep(100_000)
      shown = (try? sh("tcpdump -r \(capture) -e -n 2>/dev/null")) ?? ""
    }
    #expect(shown.contains("vlan 5") && shown.contains("p 1"), "\(shown)")
  }
}
