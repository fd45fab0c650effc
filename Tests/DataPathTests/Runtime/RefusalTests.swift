import CLinux
import Glibc
import Namespaces
import Testing
import Wire

@testable import DataPath

/// What the kernel refuses concerns the packet or the frame that it refuses, and nothing else. The senders' work is done
/// on the thread of the test.
@Suite(.serialized) struct RefusalTests {
  private func sendingPair(isV6: Bool = false) throws -> (PathPair, SuperFrames) {
    let pair = try PathPair(isV6: isV6)
    pair.first.path.endThreads()
    return (pair, try SuperFrames(pair.first))
  }

  @Test func aPacketThatIsTooLongDoesNotTakeShorterOnesAlong() throws {
    let (pair, frames) = try sendingPair()
    var sender = Sender(pair.first.path.senders[0])
    try pair.first.namespace.run { try sh("ip link set u mtu 1300") }
    let before = pair.second.traffic.packetsIn
    frames.send(from: pair.first.guestMAC, to: pair.second.guestMAC, length: 3 * 1300 + 100, segment: 1300)
    _ = sender.pass()
    #expect(pair.first.drops(.underlayTooSmall) == 3)
    #expect(eventually { pair.second.traffic.packetsIn > before })
    #expect(sender.apart == 0)
    try pair.first.namespace.run { try sh("ip link set u mtu 1500") }
    frames.send(from: pair.first.guestMAC, to: pair.second.guestMAC, length: 3 * 1300 + 100, segment: 1300)
    _ = sender.pass()
    #expect(eventually { pair.second.traffic.packetsIn >= before + 5 })
    #expect(pair.first.path.counters().queues[0].segmentationRefused == 1)
  }

  @Test func aKernelThatTakesNoMessageApartIsAskedAgain() throws {
    let (pair, frames) = try sendingPair()
    var sender = Sender(pair.first.path.senders[0])
    let socket = pair.first.path.sockets.each[0]
    func send(refusing: Int32) {
      // Without a checksum the kernel refuses UDP_SEGMENT.
      var value = refusing
      #expect(setsockopt(socket, SOL_SOCKET, SO_NO_CHECK, &value, socklen_t(MemoryLayout<Int32>.size)) == 0)
      frames.send(from: pair.first.guestMAC, to: pair.second.guestMAC, length: 3 * 1300, segment: 1300)
      _ = sender.pass()
    }
    func refused() -> UInt64 { pair.first.path.counters().queues[0].segmentationRefused }
    send(refusing: 1)
    #expect(sender.apart > 0 && refused() == 1)
    // It is not asked for each message.
    send(refusing: 0)
    #expect(refused() == 2)
    for _ in 0..<2000 where sender.apart > 0 { send(refusing: 0) }
    #expect(sender.apart == 0)
    let last = refused()
    send(refusing: 0)
    #expect(refused() == last)
    #expect(pair.first.path.counters().drops == [:])
  }

  /// The first host's underlay carries no more than this; its queue has so many bytes.
  private func limit(_ pair: PathPair, rate: String, queue: Int) throws {
    try pair.first.namespace.run { try sh("tc qdisc replace dev u root tbf rate \(rate) burst 2kb limit \(queue)") }
  }

  /// - Returns: how many packets became of them.
  private func carry(_ count: Int, of frames: SuperFrames, _ pair: PathPair, by sender: inout Sender) -> UInt64 {
    let before = pair.first.traffic.packetsOut
    for _ in 0..<count {
      frames.send(from: pair.first.guestMAC, to: pair.second.guestMAC, length: 45 * 1300, segment: 1300)
    }
    _ = sender.pass()
    return pair.first.traffic.packetsOut - before
  }

  @Test(arguments: [false, true])
  func aFullSendBufferIsWaitedForAndNotForever(isV6: Bool) throws {
    let (pair, frames) = try sendingPair(isV6: isV6)
    var sender = Sender(pair.first.path.senders[0])
    // Room for one message, which leaves in 8 ms.
    var room: Int32 = 4096
    let socket = pair.first.path.sockets.each[0]
    #expect(setsockopt(socket, SOL_SOCKET, SO_SNDBUF, &room, socklen_t(MemoryLayout<Int32>.size)) == 0)
    try limit(pair, rate: "60mbit", queue: 1 << 20)
    let before = pair.second.traffic.packetsIn
    var (sent, lost, hasWaited) = (UInt64(0), UInt64(0), false)
    // Where this thread had to wait for a processor, the first message may have left when the second comes; where the
    // timers of the queue come late, it may not have left after all the waiting.
    for _ in 0..<50 where !hasWaited {
      sent += carry(2, of: frames, pair, by: &sender)
      let drops = pair.first.drops(.sendFailed)
      hasWaited = sender.waits < Sender.waitLimit && drops == lost
      lost = drops
    }
    #expect(hasWaited)
    #expect(eventually { pair.second.traffic.packetsIn >= before + sent - lost })
    #expect(pair.first.path.counters().drops.keys.allSatisfy { $0 == .sendFailed })
    // Now in a minute.
    try limit(pair, rate: "8kbit", queue: 1 << 20)
    let sealed = carry(2, of: frames, pair, by: &sender)
    #expect(sender.waits == 0)
    let failed = pair.first.drops(.sendFailed) - lost
    #expect(failed >= 45 && failed <= sealed - 45)
    #expect(pair.first.path.counters().drops.count == 1)
  }

  /// A sender that heard of it would hear of ICMP errors too, which anybody can send.
  @Test(arguments: [false, true])
  func whatAQueueOfTheUnderlayDropsIsCountedByTheKernel(isV6: Bool) throws {
    let (pair, frames) = try sendingPair(isV6: isV6)
    var sender = Sender(pair.first.path.senders[0])
    try limit(pair, rate: "8kbit", queue: 4000)
    #expect(carry(3, of: frames, pair, by: &sender) >= 3 * 45)
    #expect(sender.waits == Sender.waitLimit)
    #expect(pair.first.path.counters().drops == [:])
    let counter = isV6 ? "Udp6SndbufErrors" : "UdpSndbufErrors"
    let (counted, queue) = try pair.first.namespace.run {
      (try sh("nstat -asz \(counter) | awk '$1 == \"\(counter)\" { print $2 }'"), try sh("tc -s qdisc show dev u"))
    }
    #expect((UInt64(counted.dropLast()) ?? 0) > 0, "\(counted)")
    #expect(queue.contains("dropped ") && !queue.contains("dropped 0"), "\(queue)")
  }

  /// A TAP's descriptor becomes that of something else, which answers with errors of its own.
  private func replaceTap(_ host: PathHost, with descriptor: Int32) throws {
    try #require(descriptor >= 0)
    defer { close(descriptor) }
    let tap = try #require(host.path.networks[host.network.vni]?.tap.each[0])
    try #require(dup2(descriptor, tap) == tap)
    try #require(host.path.senders[0].waiting.add(tap, 0) == 0)
  }

  @Test func anErrorOfOneFrameIsNotTheEndOfTheTAP() throws {
    let (pair, _) = try sendingPair()
    let path = pair.first.path
    let before = pair.first.drops(.malformedFrame)
    let target = IPAddress.v4(0x7f00_0001).target(port: 9)
    let socket = socket(AF_INET, Int32(SOCK_DGRAM.rawValue | SOCK_NONBLOCK.rawValue), 0)
    try pair.first.namespace.run {
      try #require(target.withAddress { connect(socket, $0, target.length) } == 0)
    }
    // Nobody is there, which the next read says once.
    #expect(send(socket, "1", 1, 0) == 1)
    try replaceTap(pair.first, with: socket)
    var sender = Sender(path.senders[0])
    _ = sender.pass()
    #expect(pair.first.drops(.malformedFrame) == before + 1)
    #expect(path.problems() == [])
  }

  @Test func aTAPThatGivesNothingButErrorsCountsAsGone() throws {
    let (pair, _) = try sendingPair()
    let path = pair.first.path
    let listener = socket(AF_INET, Int32(SOCK_STREAM.rawValue | SOCK_NONBLOCK.rawValue), 0)
    try #require(weft_bind_inet(listener, [127, 0, 0, 1], 4, 0) == 0 && listen(listener, 1) == 0)
    let port = try #require(UInt16(exactly: weft_local_port(listener)))
    let target = IPAddress.v4(0x7f00_0001).target(port: port)
    let client = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
    defer { close(client) }
    try #require(target.withAddress { connect(client, $0, target.length) } == 0)
    try replaceTap(pair.first, with: listener)
    var sender = Sender(path.senders[0])
    _ = sender.pass()
    #expect(path.problems() == [.tapGone(pair.first.network.vni, name: PathHost.tap, code: ENOTCONN)])
  }

  @Test func aTAPThatCannotBeWaitedForIsTold() throws {
    let end = try EndSignal()
    defer { withExtendedLifetime(end) {} }
    let waiting = try Waiting(end: end.descriptor)
    let failure = FailureWord()
    func change(_ failure: FailureWord?) throws -> WatchChange? {
      // epoll takes no directories.
      let descriptors = try Descriptors(1, { _ in open("/", O_RDONLY) }, orThrow: { _ in .tooManyHosts })
      return WatchChange(waiting: waiting, old: nil, new: descriptors, index: 0, place: 0, failure: failure).apply()
    }
    #expect(try change(failure) == nil)
    #expect(failure.code == EPERM)
    // A socket is tried again.
    #expect(try change(nil) != nil)
  }
}
