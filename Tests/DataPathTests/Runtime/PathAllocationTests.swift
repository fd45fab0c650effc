import CAllocations
import CLinux
import Glibc
import Testing
import Wire

@testable import DataPath

/// The way of a packet takes nothing from the heap, whatever becomes of it. The threads' work is done on the thread of the
/// test here, which is the one whose allocations count.
@Suite(.serialized) struct PathAllocationTests {
  private static let packets = 100_000

  private func allocations(_ body: () -> Void) -> UInt {
    weft_allocations_begin()
    body()
    return weft_allocations_end()
  }

  @Test func packetsThatComeInTakeNoMemory() throws {
    let adversary = try Adversary()
    let path = adversary.host.path
    path.endThreads()
    var receiver = Receiver(path.receivers[0])
    var taken: UInt = 0
    while path.counters().queues[0].packetsIn < Self.packets {
      // Small frames, so that debug builds get through; good, forged and for nobody.
      var message = (0..<60).flatMap { _ in adversary.sealed(adversary.vxlan(adversary.frame())) }
      let size = message.count / 60
      for place in stride(from: 0, to: 60, by: 5) { message[place * size + 30] ^= 1 }
      for place in stride(from: 1, to: 60, by: 5) { message[place * size] ^= 0xff }
      for _ in 0..<4 { adversary.send(message, segment: size) }
      taken += allocations { _ = receiver.pass() }
    }
    #expect(taken == 0)
    #expect(adversary.host.traffic.framesIn > Self.packets / 10)
    #expect(adversary.host.drops(.integrity) > Self.packets / 10)
    #expect(adversary.host.drops(.unknownSPI) > Self.packets / 10)
    // What came a second time and more.
    #expect(adversary.host.drops(.replayed) > Self.packets / 3)
  }

  @Test func framesThatGoOutTakeNoMemory() throws {
    let adversary = try Adversary()
    let (host, path) = (adversary.host, adversary.host.path)
    let spi = try #require(SPI(0x777))
    try path.addOutbound(spi, to: adversary.vtep, material: Adversary.material)
    path.useOutbound(spi, to: adversary.vtep)
    let known = try #require(MACAddress(0x0200_5e00_0009))
    path.setRemote(known, adversary.vtep, in: host.network.vni)
    path.publish()
    path.endThreads()
    var sender = Sender(path.senders[0])
    // What the bridge sends into the TAP comes from a packet socket on the guest's interface.
    let link = try host.guest.run { weft_tap_open(Int32(if_nametoindex("eth0")), 1, 1 << 16) }
    try #require(link >= 0)
    defer { close(link) }
    let unicast = known.octets + host.guestMAC.octets + [0x88, 0xb5] + [UInt8](repeating: 1, count: 46)
    let broadcast = MACAddress.broadcast.octets + unicast.dropFirst(6)
    var taken: UInt = 0
    while host.traffic.framesOut < Self.packets {
      for number in 0..<60 {
        let frame = number % 10 == 0 ? broadcast : unicast
        #expect(send(link, frame, frame.count, 0) == frame.count)
      }
      taken += allocations { _ = sender.pass() }
    }
    #expect(taken == 0)
    #expect(host.traffic.packetsOut > Self.packets / 2)
    #expect(host.drops(.noDestination) > Self.packets / 20)
    #expect(path.counters().queues[0].messagesOut < Self.packets / 10)
  }

  @Test func aStreamTakesNoMemory() throws {
    let pair = try PathPair()
    for host in pair.hosts { host.path.endThreads() }
    // One thread is all of both hosts: a pass of each in turn, and a guest's stream by the test's other threads.
    let worker = Worker(pair)
    let thread = try PathThread("worker") { worker.run() }
    #expect(try Transfer.run(from: pair.first, to: pair.second, bytes: 4 << 20) == 4 << 20)
    worker.hasEnded = true
    thread.join()
    #expect(worker.taken == 0)
    #expect(pair.second.traffic.framesJoined > 0)
  }

  private final class Worker {
    nonisolated(unsafe) var hasEnded = false
    var taken: UInt = 0
    private let pair: PathPair

    init(_ pair: PathPair) { self.pair = pair }

    func run() {
      var sender = Sender(pair.first.path.senders[0])
      var receiver = Receiver(pair.second.path.receivers[0])
      var answering = Sender(pair.second.path.senders[0])
      var answered = Receiver(pair.first.path.receivers[0])
      while !hasEnded {
        weft_allocations_begin()
        _ = sender.pass()
        _ = receiver.pass()
        _ = answering.pass()
        _ = answered.pass()
        taken += weft_allocations_end()
      }
    }
  }
}
