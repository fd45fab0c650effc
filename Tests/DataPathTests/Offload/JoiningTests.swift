import DataPath
import Testing
import Wire

@Suite struct JoiningTests {
  @Test(arguments: [false, true], [0, 1, 2]) func segmentsBecomeTheSuperFrameThatTheyWereCutFrom(
    isIPv6: Bool, tags: Int
  ) throws {
    var frame = GuestFrame.large(isIPv6: isIPv6, count: 30_000)
    frame.tags = Array([(0x88a8, 7), (0x8100, 4095)].suffix(tags))
    frame.flags = 0x18
    let written = join(frame.segments(of: 1400).map(\.bytes))
    #expect(written.count == 1)
    #expect(written.first?.bytes == frame.partialBytes)
    #expect(written.first?.header == frame.virtioHeader(segmentSize: 1400))
    #expect(written.first?.pieces == 22)
  }

  @Test(arguments: 0..<60) func whatWasJoinedIsCutIntoTheSameFrames(seed: UInt64) throws {
    var random = SeededGenerator(seed: seed)
    var stream: [[[UInt8]]] = []
    for flow in 0..<Int.random(in: 1...12, using: &random) {
      var frame = GuestFrame.random(&random, payload: Int.random(in: 0...8000, using: &random))
      frame.sourceHost = UInt8(flow)
      let isData = Int.random(in: 0..<8, using: &random) != 0
      if isData {
        frame.flags = [0x10, 0x18].randomElement(using: &random) ?? 0
        frame.reserved = 0
      }
      stream.append(frame.segments(of: Int.random(in: 100...1400, using: &random)).map(\.bytes))
    }
    // Flows are mixed, each in its order.
    var mixed: [[UInt8]] = []
    var rest = stream.map { $0[...] }
    while let index = rest.indices.filter({ !rest[$0].isEmpty }).randomElement(using: &random) {
      if let frame = rest[index].popFirst() { mixed.append(frame) }
    }
    var arrived: [[UInt8]] = []
    for written in join(mixed) {
      arrived += try cut(written.header, written.bytes, maximumFrame: 2000)
    }
    #expect(arrived.count == mixed.count)
    for flow in stream {
      // Joined frames of IPv4 are numbered on from the first, as their segments were.
      let isOfFlow = Set(flow)
      #expect(arrived.filter { isOfFlow.contains($0) } == flow)
    }
  }

  @Test func aSegmentThatIsPushedIsTheLast() {
    var frame = GuestFrame.large(count: 5000)
    frame.flags = 0x18
    let first = frame.segments(of: 1000).map(\.bytes)
    frame.sequence &+= 5000
    let second = frame.segments(of: 1000).map(\.bytes)
    let written = join(first + second)
    #expect(written.map(\.pieces) == [5, 5])
    #expect(written.allSatisfy { $0.bytes[frame.transportOffset + 13] == 0x18 })
  }

  @Test func aShorterSegmentIsTheLast() {
    var frame = GuestFrame.large(count: 2500)
    let first = frame.segments(of: 1000).map(\.bytes)
    frame.sequence &+= 2500
    let second = frame.segments(of: 500).map(\.bytes)
    #expect(join(first + second).map(\.pieces) == [3, 5])
  }

  @Test func aLargerSegmentBeginsAnew() {
    var frame = GuestFrame.large(count: 1000)
    let first = frame.segments(of: 500).map(\.bytes)
    frame.sequence &+= 1000
    frame.payload = [UInt8](repeating: 1, count: 501)
    #expect(join(first + [frame.bytes]).map(\.pieces) == [2, 1])
  }

  @Test(arguments: [false, true]) func aSuperFrameHasAtMost65535BytesOfIP(isIPv6: Bool) {
    var frame = GuestFrame.large(isIPv6: isIPv6, count: 0)
    let room = 65_535 - (frame.headerSize - frame.ethernetSize)
    frame.payload = [UInt8](repeating: 3, count: room)
    let fitting = join(frame.segments(of: 1000).map(\.bytes))
    #expect(fitting.map(\.pieces) == [66])
    #expect(fitting.map(\.bytes) == [frame.partialBytes])
    frame.payload.append(3)
    #expect(join(frame.segments(of: 1000).map(\.bytes)).map(\.pieces) == [65, 1])
  }

  @Test func aSuperFrameHasNoMorePiecesThanOneCallTakes() {
    let frame = GuestFrame.large(count: 300 * 20)
    let written = join(frame.segments(of: 20).map(\.bytes))
    #expect(written.map(\.pieces) == [128, 128, 44])
  }

  @Test func sequenceNumbersGoRound() {
    var frame = GuestFrame.large(count: 5000)
    frame.sequence = 0xffff_fff0
    #expect(join(frame.segments(of: 1000).map(\.bytes)).map(\.bytes) == [frame.partialBytes])
  }

  @Test func flowsAreJoinedSideBySide() {
    let flows = (0..<8).map { index in
      var frame = GuestFrame.large(isIPv6: index % 2 == 1, count: 5000)
      frame.sourcePort = UInt16(1000 + index)
      return frame
    }
    let segments = flows.map { $0.segments(of: 1000).map(\.bytes) }
    let mixed = (0..<5).flatMap { round in segments.map { $0[round] } }
    let written = join(mixed)
    #expect(Set(written.map(\.bytes)) == Set(flows.map(\.partialBytes)))
    #expect(written.allSatisfy { $0.pieces == 5 })
  }

  @Test func moreFlowsThanPlacesLoseNothing() {
    let flows = (0..<9).map { index in
      var frame = GuestFrame.large(count: 3000)
      frame.sourcePort = UInt16(1000 + index)
      return frame
    }
    let segments = flows.map { $0.segments(of: 1000).map(\.bytes) }
    let mixed = (0..<3).flatMap { round in segments.map { $0[round] } }
    let written = join(mixed)
    #expect(written.map(\.pieces).reduce(0, +) == 27)
    #expect(written.contains { $0.pieces == 1 })
  }

  @Test func flushLetsAllGoAndBeginsAnew() {
    let frames = GuestFrame.large(count: 4000).segments(of: 1000).map(\.bytes)
    var joiner = SegmentJoiner()
    var sink = RecordingSink()
    var memory = frames
    for index in memory.indices {
      memory[index].withUnsafeMutableBytes {
        joiner.add($0, network: 0, to: &sink)
        joiner.flush(to: &sink)
      }
    }
    joiner.flush(to: &sink)
    #expect(sink.written.map(\.bytes) == frames)
    #expect(sink.written.allSatisfy { $0.header == VirtioNetHeader() })
  }
}

extension GuestFrame {
  /// Plain data with the options that Linux sends.
  static func large(isIPv6: Bool = false, count: Int) -> GuestFrame {
    GuestFrame(
      isIPv6: isIPv6, tcpOptions: [1, 1, 8, 10, 0, 0, 0, 5, 0, 0, 0, 6],
      payload: (0..<count).map { UInt8(truncatingIfNeeded: $0 &* 131 &+ $0 >> 8) })
  }
}
