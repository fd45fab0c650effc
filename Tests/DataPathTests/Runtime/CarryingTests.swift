import CLinux
import Glibc
import Namespaces
import Testing
import Wire

@testable import DataPath

/// Two hosts with the packet path carry what guests send: real TAPs, sockets and threads, in namespaces of their own.
@Suite(.serialized) struct CarryingTests {
  @Test(arguments: [false, true], [PathEncapsulation.vxlan, .gre])
  func guestsPingEachOther(isV6: Bool, encapsulation: PathEncapsulation) throws {
    let pair = try PathPair(isV6: isV6, encapsulation: encapsulation)
    #expect(pair.first.pings(pair.second))
    #expect(pair.second.pings(pair.first))
    #expect(pair.first.pings(pair.second, size: 1332))
    #expect(pair.carriedAll())
  }

  @Test(arguments: [false, true], [PathEncapsulation.vxlan, .gre])
  func aStreamComesAsItWasSentInFramesOfManySegments(isV6: Bool, encapsulation: PathEncapsulation) throws {
    let pair = try PathPair(isV6: isV6, encapsulation: encapsulation)
    for inner in [false, true] {
      #expect(try Transfer.run(from: pair.first, to: pair.second, bytes: 3 << 20, isV6: inner) == 3 << 20)
    }
    #expect(pair.first.traffic.framesCut > 0)
    #expect(pair.first.traffic.packetsOut > pair.first.traffic.framesOut * 4)
    #expect(pair.second.traffic.framesJoined > 0)
    #expect(pair.second.traffic.packetsIn > pair.second.traffic.framesIn * 2)
    #expect(pair.carriedAll())
  }

  @Test func severalQueuesCarryAsOneDoes() throws {
    let pair = try PathPair(queues: 2)
    #expect(pair.first.pings(pair.second))
    for generation in UInt32(1)...4 {
      try pair.exchangeKeys(generation)
      #expect(try Transfer.run(from: pair.first, to: pair.second, bytes: 2 << 20) == 2 << 20)
      #expect(try Transfer.run(from: pair.second, to: pair.first, bytes: 2 << 20, isV6: true) == 2 << 20)
    }
    let counters = pair.second.path.counters()
    #expect(counters.queues.count == 2)
    #expect(counters.drops.keys.allSatisfy { $0 == .wrongNetwork })
    // All that comes from one host comes to one queue.
    #expect(counters.queues.map { $0.packetsIn > 0 } == [false, true])
  }

  @Test(arguments: [false, true])
  func hostsHaveTheQueueOfTheirAddress(isV6: Bool) throws {
    let pair = try PathPair(isV6: isV6, queues: 3)
    #expect(pair.first.pings(pair.second))
    #expect(pair.carriedAll())
    for (host, other) in [(pair.first, pair.second), (pair.second, pair.first)] {
      let queue = other.vtep.queue(of: 3)
      let used = host.path.counters().queues.indices.filter { host.path.counters().queues[$0].packetsIn > 0 }
      #expect(used == [queue])
    }
    #expect(pair.first.vtep.queue(of: 3) != pair.second.vtep.queue(of: 3))
  }

  @Test func packetsThatTheKernelDoesNotTakeApartLeaveOneByOne() throws {
    let pair = try PathPair()
    // Without a checksum the kernel refuses UDP_SEGMENT.
    var on: Int32 = 1
    let socket = pair.first.path.sockets.each[0]
    #expect(setsockopt(socket, SOL_SOCKET, SO_NO_CHECK, &on, socklen_t(MemoryLayout<Int32>.size)) == 0)
    #expect(try Transfer.run(from: pair.first, to: pair.second, bytes: 2 << 20) == 2 << 20)
    let queue = pair.first.path.counters().queues[0]
    #expect(queue.segmentationRefused > 0)
    #expect(pair.carriedAll())
  }

  @Test func aTaggedFrameMayBeLongerByItsTag() throws {
    let pair = try PathPair()
    let link = try pair.first.guest.run { weft_tap_open(Int32(if_nametoindex("eth0")), 1, 1 << 16) }
    try #require(link >= 0)
    defer { close(link) }
    let addresses = pair.second.guestMAC.octets + pair.first.guestMAC.octets
    let frame = addresses + [0x81, 0, 0, 5, 0x88, 0xb5] + [UInt8](repeating: 1, count: 1380)
    #expect(
      eventually {
        send(link, frame, frame.count, 0) == frame.count
          && pair.second.traffic.bytesIn >= UInt64(frame.count)
      })
    #expect(pair.carriedAll())
  }

  /// The kernel takes the outer tag out of the frame, and so lets a frame pass that is longer by both.
  @Test func aFrameMayBeLongerByTwoTags() throws {
    let pair = try PathPair()
    for host in pair.hosts {
      try host.namespace.run { try sh("ip link set vif mtu 1384") }
      try host.guest.run { try sh("ip link set eth0 mtu 1384") }
    }
    let link = try pair.first.guest.run { weft_tap_open(Int32(if_nametoindex("eth0")), 1, 1 << 16) }
    try #require(link >= 0)
    defer { close(link) }
    let addresses = pair.second.guestMAC.octets + pair.first.guestMAC.octets
    let tags: [UInt8] = [0x81, 0, 0, 5, 0x81, 0, 0, 6, 0x88, 0xb5]
    let frame = addresses + tags + [UInt8](repeating: 1, count: 1380)
    #expect(send(link, frame, frame.count, 0) == frame.count)
    #expect(eventually { pair.second.traffic.bytesIn >= UInt64(frame.count) })
    #expect(pair.carriedAll())
  }

  @Test func aFrameToSomebodyUnknownReachesEveryHostOfTheFloodListOnce() throws {
    let pair = try PathPair()
    let vni = pair.first.network.vni
    pair.first.path.removeRemote(pair.second.guestMAC, in: vni)
    pair.first.path.publish()
    #expect(pair.first.pings(pair.second))
    #expect(pair.first.traffic.framesFlooded > 4)
    pair.first.path.removeFlood(pair.second.vtep, in: vni)
    pair.first.path.publish()
    #expect(!pair.first.pings(pair.second, count: 1))
    #expect(pair.first.drops(.noDestination) > 0)
  }
}
