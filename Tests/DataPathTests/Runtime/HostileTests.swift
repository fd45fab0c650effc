import Glibc
import Namespaces
import Testing
import Wire

@testable import DataPath

/// Whatever comes by the socket is dropped for the right reason unless it is an authentic packet of a network that is here.
@Suite(.serialized) struct HostileTests {
  /// Sends something, and sees that it was dropped for this reason and nothing else came of it.
  private func expect(_ reason: DropReason, _ adversary: Adversary, count: UInt64 = 1, _ send: () throws -> Void) throws
  {
    let before = adversary.host.path.counters()
    try send()
    let last = (before.drops[reason] ?? 0) + count
    #expect(eventually { adversary.host.drops(reason) >= last }, "\(reason)")
    let after = adversary.host.path.counters()
    var expected = before.drops
    expected[reason] = last
    // What the host itself sends has nowhere to go.
    expected[.noDestination] = after.drops[.noDestination]
    #expect(after.drops == expected)
    #expect(after.networks.values.map(\.framesIn) == before.networks.values.map(\.framesIn))
  }

  @Test func everythingThatIsNotRightIsDroppedByItsReason() throws {
    let adversary = try Adversary()
    let good = adversary.vxlan(adversary.frame())
    try expect(.notESP, adversary) { adversary.send([0xff]) }
    try expect(.notESP, adversary) { adversary.send([]) }
    try expect(.notESP, adversary) { adversary.send([0, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8]) }
    try expect(.unknownSPI, adversary) { adversary.send([9, 9, 9, 9] + [UInt8](repeating: 0, count: 60)) }
    try expect(.malformedESP, adversary) { adversary.send(Array(adversary.sealed(good).prefix(20))) }
    try expect(.malformedESP, adversary) { adversary.send(adversary.sealed(good) + [0]) }
    try expect(.integrity, adversary) { adversary.send(adversary.sealed(good).dropLast(4)) }
    try expect(.integrity, adversary) {
      var packet = adversary.sealed(good)
      packet[40] ^= 1
      adversary.send(packet)
    }
    try expect(.wrongPeer, adversary) { try adversary.sendFromElsewhere(adversary.sealed(good)) }
    try expect(.wrongNetwork, adversary) {
      adversary.send(adversary.sealed(adversary.vxlan(adversary.frame(), vni: 78)))
    }
    try expect(.wrongPort, adversary) { adversary.send(adversary.sealed(adversary.vxlan(adversary.frame(), port: 53))) }
    try expect(.dummy, adversary) { adversary.send(adversary.sealed([], nextHeader: 59)) }
    try expect(.malformedTunnel, adversary) { adversary.send(adversary.sealed(good, nextHeader: 4)) }
    try expect(.malformedTunnel, adversary) { adversary.send(adversary.sealed(Array(good.prefix(24)))) }
    try expect(.malformedTunnel, adversary) {
      adversary.send(adversary.sealed(adversary.vxlan(adversary.frame(source: [3, 0, 0, 0, 0, 1]))))
    }
    // The network is carried by VXLAN here, not by GRE.
    try expect(.wrongNetwork, adversary) {
      let gre: [UInt8] = [0x20, 0, 0x65, 0x58, 0, 0, 0, 77]
      adversary.send(adversary.sealed(gre + adversary.frame(), nextHeader: InnerHeader.gre))
    }
    try expect(.inboundTooLarge, adversary) {
      adversary.send(adversary.sealed(adversary.vxlan(adversary.frame(size: 1380 + 14 + 1))))
    }
  }

  @Test func aPacketComesOnce() throws {
    let adversary = try Adversary()
    let packet = adversary.sealed(adversary.vxlan(adversary.frame()))
    let before = adversary.host.traffic.framesIn
    adversary.send(packet)
    #expect(eventually { adversary.host.traffic.framesIn == before + 1 })
    try expect(.replayed, adversary, count: 50) { for _ in 0..<50 { adversary.send(packet) } }
    let association = adversary.host.path.associations.first { $0.direction == .inbound }
    #expect(association?.packets == 1 && association?.replayed == 50)
  }

  @Test func aMessageOfManyPacketsIsTakenApartAndEachIsJudgedAlone() throws {
    let adversary = try Adversary()
    var message: [UInt8] = []
    var size = 0
    for number in 0..<40 {
      var packet = adversary.sealed(adversary.vxlan(adversary.frame(size: 1380 + 14)))
      if number % 4 == 1 { packet[100] ^= 1 }
      size = packet.count
      message += packet
    }
    // The last one is cut off.
    message += adversary.sealed(adversary.vxlan(adversary.frame())).prefix(21)
    let before = adversary.host.traffic.framesIn
    adversary.send(message, segment: size)
    #expect(eventually { adversary.host.traffic.framesIn == before + 30 })
    #expect(eventually { adversary.host.drops(.malformedESP) == 1 })
    #expect(adversary.host.drops(.integrity) == 10)
    #expect(adversary.host.path.counters().queues[0].messagesIn == 1)
  }

  /// The kernel joins packets of one sender, whatever SA they are of.
  @Test func aMessageOfPacketsOfSeveralSAsIsTakenWhole() throws {
    let adversary = try Adversary(queues: 2)
    let other = UInt32(0x4243)
    try adversary.host.path.addInbound(
      try #require(SPI(other)), from: adversary.vtep, material: Adversary.material)
    adversary.host.path.publish()
    let sealing = try OutboundSA(spi: other, material: Adversary.material, threads: 1)
    var message: [UInt8] = []
    for number in 0..<6 {
      message += adversary.sealed(
        adversary.vxlan(adversary.frame()), by: number < 3 ? adversary.sealing : sealing)
    }
    let before = adversary.host.traffic.framesIn
    adversary.send(message, segment: message.count / 6)
    #expect(eventually { adversary.host.traffic.framesIn == before + 6 })
    #expect(adversary.host.path.counters().queues.map(\.messagesIn).reduce(0, +) == 1)
  }

  @Test func anAnnouncementOfAnotherSizeThanThatOfTheMessageIsHarmless() throws {
    let adversary = try Adversary()
    // 64 packets of a byte each in one message.
    try expect(.notESP, adversary, count: 64) { adversary.send([UInt8](repeating: 0xff, count: 64), segment: 1) }
  }

  @Test func theDropsOfAHostAreKnown() throws {
    let adversary = try Adversary()
    adversary.send(Array(adversary.sealed(adversary.vxlan(adversary.frame())).prefix(60)))
    #expect(eventually { adversary.host.path.counters().peers[adversary.vtep]?.drops == [.integrity: 1] })
  }
}
