import Glibc
import Namespaces
import Testing
import Wire

@testable import Agent

@Suite struct GossipSocketTests {
  static let loopback = IPAddress.v4(0x7f00_0001)
  static let loopback6 = IPAddress.v6(high: 0, low: 1)

  func open(_ address: IPAddress = loopback) throws -> GossipSocket {
    try GossipSocket(binding: Endpoint(address: address, port: 0))
  }

  /// Loopback delivers within the call that sends, so what was sent is there.
  func drain(_ socket: GossipSocket) -> [([UInt8], Endpoint)] {
    var all: [([UInt8], Endpoint)] = []
    while socket.receive({ all.append(($0, $1)) }) > 0 {}
    return all
  }

  @Test(arguments: [loopback, loopback6])
  func threeHundredDatagramsArriveWhole(address: IPAddress) throws {
    let (a, b) = (try open(address), try open(address))
    let packets = (0..<300).map { [UInt8](repeating: UInt8($0 & 255), count: 1 + $0 * 4) }
    a.send(packets.map { ($0, b.local) })
    let received = drain(b)
    #expect(received.map(\.0) == packets)
    #expect(received.allSatisfy { $0.1 == a.local })
    #expect(a.counters == .init(sent: 300))
    #expect(b.counters == .init(received: 300))
  }

  @Test func theLargestPacketPassesAndOneByteMoreIsDroppedAndCounted() throws {
    let (a, b) = (try open(), try open())
    a.send([([UInt8](repeating: 1, count: 1400), b.local), ([UInt8](repeating: 1, count: 1401), b.local)])
    #expect(a.counters == .init(sent: 1, unsendable: 1))
    #expect(drain(b).map(\.0.count) == [1400])

    let stranger = socket(AF_INET, Int32(SOCK_DGRAM.rawValue), 0)
    defer { close(stranger) }
    for size in [1401, 9000, 60_000, 1400] {
      var address = sockaddr_in()
      address.sin_family = sa_family_t(AF_INET)
      address.sin_port = b.local.port.bigEndian
      address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
      let sent = withUnsafeBytes(of: &address) { bytes in
        sendto(
          stranger, [UInt8](repeating: 2, count: size), size, 0,
          bytes.baseAddress?.assumingMemoryBound(to: sockaddr.self), socklen_t(bytes.count))
      }
      #expect(sent == size)
    }
    #expect(drain(b).map(\.0.count) == [1400])
    #expect(b.counters == .init(received: 2, oversize: 3))
  }

  @Test func anEmptyDatagramIsTakenAsItIs() throws {
    let (a, b) = (try open(), try open())
    let stranger = dup(a.fileDescriptor)
    defer { close(stranger) }
    a.send([([], b.local)])
    #expect(a.counters == .init(unsendable: 1))
    #expect(drain(b).isEmpty)
  }

  @Test func aDestinationThatCannotBeReachedHoldsUpNoOther() throws {
    let (a, b) = (try open(), try open())
    // From loopback the kernel sends to no other network; broadcast needs a permission that the socket does not have.
    let nowhere = [0xc000_0201, 0xffff_ffff].map { Endpoint(address: .v4($0), port: 7677) }
    let v6 = Endpoint(address: Self.loopback6, port: b.local.port)
    let closed = try open().local
    a.send([
      ([1], nowhere[0]), ([2], b.local), ([3], nowhere[1]), ([4], v6), ([5], b.local), ([6], closed), ([7], b.local),
    ])
    #expect(drain(b).map(\.0) == [[2], [5], [7]])
    #expect(a.counters == .init(sent: 4, unreachable: 2, unsendable: 1))
    // What the network answered about the closed port costs the next receiver nothing.
    b.send([([8], a.local)])
    #expect(drain(a).map(\.0) == [[8]])
  }

  @Test func aBoundOnReceptionLeavesTheRestForTheNextRound() throws {
    let (a, b) = (try open(), try open())
    a.send((0..<100).map { ([UInt8($0)], b.local) })
    var seen: [UInt8] = []
    #expect(b.receive(max: 70) { bytes, _ in seen += bytes } == 70)
    #expect(b.receive(max: 70) { bytes, _ in seen += bytes } == 30)
    #expect(seen == Array(0..<100))
  }

  @Test func aReceiverMayAnswerFromWithin() throws {
    let (a, b) = (try open(), try open())
    a.send((0..<64).map { ([UInt8($0)], b.local) })
    b.receive { bytes, source in b.send([(bytes + [0xff], source)]) }
    #expect(drain(a).map(\.0) == (0..<64).map { [UInt8($0), 0xff] })
  }

  @Test func aBurstBeyondTheBufferIsDroppedNotWaitedFor() throws {
    let (a, b) = (try open(), try open())
    let packet = [UInt8](repeating: 0, count: 1400)
    for _ in 0..<200 { a.send([([UInt8], Endpoint)](repeating: (packet, b.local), count: 64)) }
    #expect(a.counters.sent + a.counters.congested == 12_800)
    let got = drain(b).count
    #expect(got > 64 && got <= 12_800)
  }

  @Test(arguments: [loopback, loopback6])
  func aSocketThatMovesHearsAtItsNewEndAndSendsFromIt(address: IPAddress) throws {
    let (mover, other) = (try open(), try open(address))
    let old = mover.local
    var left: [Int32] = []
    let descriptor = mover.fileDescriptor
    try mover.move(to: Endpoint(address: address, port: 0)) { left.append($0) }
    #expect(left == [descriptor], "the old descriptor is to be forgotten before its number is free")
    #expect(mover.local.address == address && mover.local != old)
    other.send([([1], mover.local)])
    #expect(drain(mover).map(\.0) == [[1]])
    mover.send([([2], other.local)])
    #expect(drain(other).map(\.1) == [mover.local])
    // The old end is free for others, once no program that another test is starting has a copy of it.
    #expect(eventually { (try? GossipSocket(binding: old)) != nil })
  }

  @Test func aMoveThatCannotBeChangesNothing() throws {
    let (mover, other) = (try open(), try open())
    #expect(throws: GossipSocketError.portTaken(other.local)) {
      try mover.move(to: other.local) { _ in Issue.record("it has left its old end") }
    }
    other.send([([1], mover.local)])
    #expect(drain(mover).map(\.0) == [[1]])
  }

  @Test func aPortInUseIsNamed() throws {
    let holder = try open()
    do {
      _ = try GossipSocket(binding: holder.local)
      Issue.record("two sockets on one port")
    } catch {
      #expect(error == .portTaken(holder.local))
      #expect("\(error)".contains("UDP port \(holder.local.port) on 127.0.0.1 is used by another program"))
    }
  }

  @Test func anAddressOfAnotherHostIsNamed() throws {
    let address = IPAddress.v4(0xc000_0207)
    do {
      _ = try GossipSocket(binding: Endpoint(address: address, port: 7677))
      Issue.record("bound to a foreign address")
    } catch {
      #expect(error == .addressNotHere(address))
      #expect("\(error)".hasPrefix("192.0.2.7 is not an address of this host: pass --underlay"))
    }
  }
}
