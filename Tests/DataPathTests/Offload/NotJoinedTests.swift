import DataPath
import Testing

/// The rules of what goes alone. Each changes the middle one of three segments that would be joined.
@Suite struct NotJoinedTests {
  private let frame = GuestFrame.large(count: 3000)
  private let frame6 = GuestFrame.large(isIPv6: true, count: 3000)

  /// All three must come through in their order, and none of them in one piece with the changed one.
  private func expectNotJoined(
    _ frame: GuestFrame, _ sentence: Comment, location: SourceLocation = #_sourceLocation,
    _ change: (inout GuestFrame) -> Void
  ) {
    var segments = frame.segments(of: 1000)
    change(&segments[1])
    expectNotJoined(segments.map(\.bytes), sentence, location: location)
  }

  private func expectNotJoined(
    _ frames: [[UInt8]], networks: [Int] = [], _ sentence: Comment, location: SourceLocation = #_sourceLocation
  ) {
    let written = join(frames, networks: networks)
    #expect(written.map(\.pieces) == [1, 1, 1], sentence, sourceLocation: location)
    #expect(written.map(\.bytes) == frames, sentence, sourceLocation: location)
    #expect(written.allSatisfy { $0.header == VirtioNetHeader() }, sentence, sourceLocation: location)
  }

  @Test func whatThisSuiteChangesIsJoinedWithoutChange() {
    #expect(join(frame.segments(of: 1000).map(\.bytes)).map(\.pieces) == [3])
    #expect(join(frame6.segments(of: 1000).map(\.bytes)).map(\.pieces) == [3])
  }

  @Test func otherFlags() {
    // Each of the others beside ACK, with and without PSH; no ACK; all of them.
    let others: [UInt8] = [0x01, 0x02, 0x04, 0x20, 0x40, 0x80].flatMap { [$0 | 0x10, $0 | 0x18] }
    for flags in others + [0x00, 0x08, 0xff] {
      expectNotJoined(frame, "flags \(flags)") { $0.flags = flags }
      expectNotJoined(frame6, "flags \(flags)") { $0.flags = flags }
    }
  }

  @Test func reservedBits() {
    for bit in [UInt8(1), 2, 4, 8] {
      expectNotJoined(frame, "reserved bit \(bit)") { $0.reserved = bit }
      var all = frame6
      all.reserved = bit
      expectNotJoined(all, "reserved bit \(bit) in each") { _ in }
    }
  }

  @Test func differentHeaders() {
    for frame in [frame, frame6] {
      expectNotJoined(frame, "class") { $0.trafficClass = 0x10 }
      expectNotJoined(frame, "congestion experienced") { $0.trafficClass = 0x03 }
      expectNotJoined(frame, "hop limit") { $0.hopLimit = 63 }
      expectNotJoined(frame, "window") { $0.window = 513 }
      expectNotJoined(frame, "acknowledgement") { $0.acknowledgement += 1 }
      expectNotJoined(frame, "urgent pointer") { $0.urgent = 1 }
      expectNotJoined(frame, "no options") { $0.tcpOptions = [] }
      expectNotJoined(frame, "destination") { $0.destination = [2, 0, 0, 0, 0, 3] }
      expectNotJoined(frame, "source") { $0.source = [2, 0, 0, 0, 0, 3] }
      for index in frame.tcpOptions.indices {
        expectNotJoined(frame, "option \(index)") { $0.tcpOptions[index] ^= 1 }
      }
    }
    var tagged = frame
    tagged.tags = [(0x88a8, 1), (0x8100, 2)]
    expectNotJoined(tagged, "first tag") { $0.tags[0].value = 3 }
    expectNotJoined(tagged, "second tag") { $0.tags[1].value = 3 }
    expectNotJoined(tagged, "kind of tag") { $0.tags[0].type = 0x8100 }
  }

  @Test func otherPlaceInTheStream() {
    expectNotJoined(frame, "a byte is missing") { $0.sequence += 1 }
    expectNotJoined(frame, "a byte comes again") { $0.sequence -= 1 }
    let segments = frame.segments(of: 1000).map(\.bytes)
    expectNotJoined([segments[0], segments[2], segments[1]], "out of order")
    expectNotJoined([segments[0], segments[0], segments[0]], "the same again")
  }

  @Test func noPayload() { expectNotJoined(frame, "an acknowledgement") { $0.payload = [] } }

  @Test func segmentsThatAreTooSmallToBeCutAgain() {
    let size = SegmentCutter.minimumSegment
    let frame = GuestFrame.large(count: 3 * size - 3)
    expectNotJoined(frame.segments(of: size - 1).map(\.bytes), "small")
    #expect(join(frame.segments(of: size).map(\.bytes)).map(\.pieces) == [3])
  }

  @Test func wrongChecksums() {
    for frame in [frame, frame6] {
      let right = frame.segments(of: 1000).map(\.bytes)
      for place in 0..<3 {
        for offset in [frame.transportOffset + 16, frame.headerSize, frame.headerSize + 999] {
          var frames = right
          frames[place][offset] ^= 0x40
          let written = join(frames)
          #expect(written.filter { $0.pieces == 1 }.contains { $0.bytes == frames[place] })
          #expect(written.map(\.pieces).reduce(0, +) == 3)
        }
      }
    }
    var frames = frame.segments(of: 1000).map(\.bytes)
    frames[1][24] ^= 1
    expectNotJoined(frames, "the checksum of IPv4")
  }

  @Test func identificationsWithMeaning() {
    var fragmentable = frame
    fragmentable.fragment = 0
    expectNotJoined(fragmentable, "without DF") { _ in }
    expectNotJoined(frame, "a first fragment") { $0.fragment = 0x6000 }
    expectNotJoined(frame, "a later fragment") { $0.fragment = 0x4001 }
    expectNotJoined(frame, "the reserved bit") { $0.fragment = 0xc000 }
  }

  @Test func optionsOfIP() {
    expectNotJoined(frame, "IPv4 options") { $0.ipOptions = [1, 1, 1, 1] }
    expectNotJoined(frame6, "hop-by-hop options") { $0.extensions = [(0, [0, 1, 4, 0, 0, 0, 0])] }
    expectNotJoined(frame6, "a fragment header") { $0.extensions = [(44, [0, 0, 0, 0, 0, 0, 1])] }
    var all = frame
    all.ipOptions = [1, 1, 1, 1]
    expectNotJoined(all, "IPv4 options in each") { _ in }
    all = frame6
    all.extensions = [(60, [0, 1, 4, 0, 0, 0, 0])]
    expectNotJoined(all, "destination options in each") { _ in }
  }

  @Test func ethernetPadding() { expectNotJoined(frame, "padding") { $0.padding = [0] } }

  @Test func framesThatAreMalformed() {
    let segments = frame.segments(of: 1000).map(\.bytes)
    expectNotJoined([segments[0], Array(segments[1].dropLast()), segments[2]], "cut off")
  }

  @Test func otherNetworks() {
    let segments = frame.segments(of: 1000).map(\.bytes)
    let written = join([segments[0], segments[1], segments[1]], networks: [1, 2, 1])
    #expect(written.map(\.network) == [1, 2])
    #expect(written.map(\.pieces) == [2, 1])
    #expect(written.last?.bytes == segments[1])
  }

  @Test func aFragmentHoldsUpItsOwnNetworkOnly() {
    let segments = frame.segments(of: 1000).map(\.bytes)
    var fragment = frame
    fragment.fragment = 0x2000
    let frames = [segments[0], fragment.bytes, segments[1]]
    #expect(join(frames, networks: [1, 2, 1]).map(\.pieces) == [1, 2])
    #expect(join(frames, networks: [1, 1, 1]).map(\.bytes) == frames)
  }

  @Test func whatIsNoTCPGoesAtOnceAndHoldsNothingUp() {
    let segments = frame.segments(of: 1000).map(\.bytes)
    let arp = [UInt8](repeating: 255, count: 12) + [8, 6] + [UInt8](repeating: 1, count: 28)
    var datagram = segments[0]
    datagram[23] = 17
    for other in [arp, datagram] {
      let written = join([segments[0], other, segments[1], segments[2]])
      #expect(written.map(\.pieces) == [1, 3])
      #expect(written[0].bytes == other && written[1].bytes == frame.partialBytes)
    }
  }

  @Test func anEmptyFrameIsNothing() { #expect(join([[]]).allSatisfy { $0.bytes.isEmpty }) }
}
