import CLinux
import Glibc
import Namespaces
import Testing
import Wire

@testable import DataPath

/// What the kernel refuses concerns the packet or the frame that it refuses, and nothing else. The senders' work is done
/// on the thread of the test.
@Suite(.serialized) struct RefusalTests {
  private func sendingPair() throws -> (PathPair, SuperFrames) {
    let pair = try PathPair()
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
