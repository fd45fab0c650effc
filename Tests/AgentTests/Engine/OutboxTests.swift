import Testing
import Wire

@testable import Agent

@Suite struct OutboxTests {
  private let room = GossipPacket.maximumPlaintext
  private let header = GossipFrame.headerSize

  private func frame(ofSize size: Int, _ mark: UInt8 = 0) -> GossipFrame {
    .batch([UInt8](repeating: mark, count: size - GossipFrame.headerSize))
  }

  private func frames(in packets: [[UInt8]]) throws -> [GossipFrame] { try packets.flatMap(GossipFrame.decodeAll) }

  @Test func framesKeepTheirOrderOverManyPacketsThatEachFitADatagram() throws {
    var generator = SeededGenerator(seed: 1)
    let sent = (0..<500).map { index in
      frame(ofSize: Int.random(in: header...room, using: &generator), UInt8(truncatingIfNeeded: index))
    }
    let packets = Outbox.pack(sent)
    #expect(packets.allSatisfy { !$0.isEmpty && $0.count <= room })
    #expect(try frames(in: packets) == sent)
  }

  @Test func framesThatFitTogetherGoInOnePacketAndOneByteMoreMakesTwo() {
    #expect(Outbox.pack([frame(ofSize: 100), frame(ofSize: room - 100)]).map(\.count) == [room])
    #expect(Outbox.pack([frame(ofSize: 100), frame(ofSize: room - 99)]).map(\.count) == [100, room - 99])
    #expect(Outbox.pack([frame(ofSize: room), .ping(sequence: 1)]).count == 2)
  }

  @Test func aFrameThatFitsNoPacketIsLeftOutAndTheOthersAreSent() throws {
    let small: [GossipFrame] = [.ping(sequence: 1), .ack(sequence: 2)]
    let packets = Outbox.pack([small[0], frame(ofSize: room + 1), frame(ofSize: 60_000), small[1]])
    #expect(packets.count == 1)
    #expect(try frames(in: packets) == small)
  }

  @Test func nothingMakesNoPacket() {
    #expect(Outbox.pack([]).isEmpty)
    #expect(Outbox.pack([frame(ofSize: room + 1)]).isEmpty)
  }

  @Test func framesAreTakenOnceByReceiverInTheirOrder() {
    var outbox = Outbox()
    let (a, b) = (HostID(high: 0, low: 1), HostID(high: 0, low: 2))
    outbox.add([.ping(sequence: 1)], to: b)
    outbox.add([], to: HostID(high: 0, low: 3))
    outbox.add([.ping(sequence: 2)], to: a)
    outbox.add([.ping(sequence: 3)], to: b)
    #expect(!outbox.isEmpty)
    let taken = outbox.take()
    #expect(taken.map(\.host) == [a, b])
    #expect(taken.map(\.frames) == [[.ping(sequence: 2)], [.ping(sequence: 1), .ping(sequence: 3)]])
    #expect(outbox.isEmpty && outbox.take().isEmpty)
  }
}
