import Testing
import Wire

@Suite struct GossipTests {
  private static let host = HostID(high: 1, low: 2)
  private static let other = HostID(high: 3, low: 4)
  private static let boot = Boot(counter: 5, nonce: 6)

  /// One of every kind.
  private static let frames: [GossipFrame] = [
    .ping(sequence: 1), .ack(sequence: 2), .pingRequest(sequence: 3, target: other), .nack(sequence: 4),
    .rumour(MemberRumour(host: host, boot: boot, incarnation: 7, state: .suspect, source: other)),
    .advert(boot: boot, version: 8, incarnation: 9, poolHash: 10),
    .have(Holding(owner: other, boot: boot, version: 11)), .want(owner: other, boot: boot, after: 12),
    .batch([1, 2, 3]), .record([]), .recordsSeen([13, 14]),
    .standing(epoch: 15, receiverEpoch: 16, spi: SPI(256)!), .sending(epoch: 17, receiverEpoch: 18, spi: SPI(.max)),
    .sending(epoch: 19, receiverEpoch: 20, spi: nil),
  ]

  private static let packets: [GossipPacket] = [
    .sealed(
      SealedHeader(sender: host, senderBoot: 1, receiverBoot: 2, counter: 3), box: [UInt8](repeating: 7, count: 64)),
    .who(Who(sender: host, senderBoot: boot, target: other)),
    .hello(Hello(certificate: [1, 2, 3], hostRecord: [4, 5], wantsReply: true)),
  ]

  private static func encode(_ frames: [GossipFrame]) -> [UInt8] {
    var writer = ByteWriter()
    for frame in frames { frame.encode(into: &writer) }
    return writer.bytes
  }

  @Test func framesOfEveryKindComeBackFromTheirBytes() throws {
    let bytes = Self.encode(Self.frames)
    #expect(try GossipFrame.decodeAll(bytes) == Self.frames)
    #expect(bytes.count == Self.frames.reduce(0) { $0 + $1.encodedSize })
  }

  @Test(arguments: MemberState.allCases)
  func everyMemberStateTravels(state: MemberState) throws {
    let frame = GossipFrame.rumour(
      MemberRumour(host: Self.host, boot: Self.boot, incarnation: .max, state: state, source: Self.other))
    #expect(try GossipFrame.decodeAll(Self.encode([frame])) == [frame])
  }

  @Test func aFrameOfANewerReleaseIsPassedOverAndALongerOneIsRead() throws {
    let unknown: [UInt8] = [200, 0, 2, 9, 9]
    let longer: [UInt8] = [1, 0, 6, 0, 0, 0, 1, 77, 77]
    let bytes = unknown + longer + Self.encode([.ack(sequence: 5)])
    #expect(try GossipFrame.decodeAll(bytes) == [.ping(sequence: 1), .ack(sequence: 5)])
  }

  @Test func packetsOfEveryKindComeBackFromTheirBytes() throws {
    for packet in Self.packets { #expect(try GossipPacket.decode(packet.encoded()) == packet) }
  }

  @Test func aFullPacketHasExactlyTheLargestSize() {
    let box = [UInt8](repeating: 0, count: GossipPacket.maximumPlaintext + 16)
    let header = SealedHeader(sender: Self.host, senderBoot: 1, receiverBoot: 2, counter: 3)
    #expect(GossipPacket.sealed(header, box: box).encoded().count == GossipPacket.maximumSize)
    #expect(throws: WireError.self) {
      _ = try GossipPacket.decode(GossipPacket.sealed(header, box: box + [0]).encoded())
    }
  }

  @Test func aPacketCutAnywhereIsRefused() {
    for packet in Self.packets {
      let bytes = packet.encoded()
      // A sealed packet is whole as soon as a tag fits behind its header; the seal tells the rest.
      let least = if case .sealed = packet { 8 + SealedHeader.size + 16 } else { bytes.count }
      for count in 0..<least {
        #expect(throws: WireError.self) { _ = try GossipPacket.decode(Array(bytes[..<count])) }
      }
    }
  }

  @Test func framesCutAnywhereAreRefusedOrAreTheFirstOnes() {
    let bytes = Self.encode(Self.frames)
    for count in 0..<bytes.count {
      guard let frames = try? GossipFrame.decodeAll(Array(bytes[..<count])) else { continue }
      #expect(frames == Array(Self.frames.prefix(frames.count)))
    }
  }

  @Test func wrongMagicVersionAndKindAreRefused() {
    for (index, value) in [(0, UInt8(0)), (4, 2), (5, 0), (5, 99)] {
      var bytes = Self.packets[1].encoded()
      bytes[index] = value
      #expect(throws: WireError.self) { _ = try GossipPacket.decode(bytes) }
    }
  }

  @Test func noMutationTrapsAndWhatIsStillReadSurvivesItsOwnEncoding() throws {
    var generator = SeededGenerator(seed: 42)
    var read = 0
    for round in 0..<20_000 {
      var bytes = round % 2 == 0 ? Self.encode(Self.frames) : Self.packets[round / 2 % 3].encoded()
      mutate(&bytes, &generator)
      if round % 2 == 0, let frames = try? GossipFrame.decodeAll(bytes) {
        #expect(try GossipFrame.decodeAll(Self.encode(frames)) == frames)
        read += 1
      } else if round % 2 == 1, let packet = try? GossipPacket.decode(bytes) {
        #expect(try GossipPacket.decode(packet.encoded()) == packet)
        read += 1
      }
    }
    #expect(read > 1000)
  }

  @Test func randomBytesAreRefusedWithoutATrap() {
    var generator = SeededGenerator(seed: 43)
    for _ in 0..<5000 {
      let bytes = (0..<Int(generator.next() % 1500)).map { _ in UInt8(truncatingIfNeeded: generator.next()) }
      #expect((try? GossipPacket.decode(bytes)) == nil)
      _ = try? GossipFrame.decodeAll(bytes)
      _ = try? GossipPacket.decode(Array((GossipPacket.magic + [1, 3, 0, 0] + bytes).prefix(1400)))
    }
  }
}

/// A few flips, cuts, insertions or repetitions.
func mutate(_ bytes: inout [UInt8], _ generator: inout SeededGenerator) {
  for _ in 0...Int(generator.next() % 3) {
    guard !bytes.isEmpty else { return }
    let place = Int(generator.next() % UInt64(bytes.count))
    switch generator.next() % 5 {
    case 0: bytes[place] ^= 1 << UInt8(generator.next() % 8)
    case 1: bytes[place] = UInt8(truncatingIfNeeded: generator.next())
    case 2: bytes.removeSubrange(place...)
    case 3: bytes.insert(UInt8(truncatingIfNeeded: generator.next()), at: place)
    default: bytes.insert(contentsOf: bytes[place...].prefix(8), at: place)
    }
  }
}
