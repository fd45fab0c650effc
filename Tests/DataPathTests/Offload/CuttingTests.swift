import DataPath
import Testing
import Wire

@Suite struct CuttingTests {
  @Test(arguments: 0..<100) func aSuperFrameBecomesTheSegmentsOfRFC9293(seed: UInt64) throws {
    var random = SeededGenerator(seed: seed)
    let frame = GuestFrame.random(&random, payload: Int.random(in: 0...20_000, using: &random))
    let size = Int.random(in: 8...1400, using: &random)
    let header = frame.virtioHeader(segmentSize: UInt16(size))
    let expected = frame.segments(of: size).map(\.bytes)
    #expect(try cut(header, frame.partialBytes, maximumFrame: 1600) == expected)
  }

  @Test func theLargestSuperFrameIsCut() throws {
    for isIPv6 in [false, true] {
      var frame = GuestFrame(isIPv6: isIPv6, identification: 0xfff0, sequence: 0xffff_ff00)
      frame.payload = (0..<65_535 - frame.networkSize - 20).map { UInt8(truncatingIfNeeded: $0 &* 251) }
      let frames = try cut(frame.virtioHeader(segmentSize: 1460), frame.partialBytes, maximumFrame: 1534)
      #expect(frames == frame.segments(of: 1460).map(\.bytes))
      #expect(frames.count == 45)
    }
  }

  @Test func flagsStandWhereTheyBelong() throws {
    let frame = GuestFrame(flags: 0x99, payload: [UInt8](repeating: 1, count: 250))
    var header = frame.virtioHeader(segmentSize: 100)
    header.gsoType |= VirtioNetHeader.ecn
    let flags = try cut(header, frame.partialBytes).map { $0[frame.transportOffset + 13] }
    #expect(flags == [0x90, 0x10, 0x19])
  }

  @Test func aSuperFrameWithoutPayloadIsOneFrame() throws {
    let frame = GuestFrame(flags: 0x11)
    #expect(try cut(frame.virtioHeader(segmentSize: 100), frame.partialBytes) == [frame.bytes])
  }

  @Test func ethernetPaddingIsNotPayload() throws {
    let frame = GuestFrame(payload: [1, 2, 3], padding: [9, 9, 9, 9])
    var bare = frame
    bare.padding = []
    #expect(try cut(frame.virtioHeader(segmentSize: 100), frame.partialBytes) == [bare.bytes])
  }

  @Test func theChecksumIsMadeFromTheAddressesIfTheGuestLeftNone() throws {
    for isIPv6 in [false, true] {
      let frame = GuestFrame(isIPv6: isIPv6, payload: [UInt8](repeating: 7, count: 99))
      var header = frame.virtioHeader(segmentSize: 50)
      header.flags = 0
      #expect(try cut(header, frame.bytes) == frame.segments(of: 50).map(\.bytes))
    }
  }

  @Test func theSumOfAnotherDestinationIsKeptBehindARoutingHeader() throws {
    // The pseudo-header has the final destination, which only the guest's kernel looks for.
    var frame = GuestFrame(isIPv6: true, payload: [UInt8](repeating: 7, count: 99))
    var last = frame
    last.destinationHost = 77
    frame.extensions = [(43, [2, 4, 1, 0, 0, 0, 0] + [UInt8](repeating: 3, count: 16))]
    let header = frame.virtioHeader(segmentSize: 50)
    var bytes = frame.partialBytes
    let partial = last.partialBytes[last.transportOffset + 16..<last.transportOffset + 18]
    bytes.replaceSubrange(frame.transportOffset + 16..<frame.transportOffset + 18, with: partial)
    let checksums = try cut(header, bytes).map { $0[frame.transportOffset + 16..<frame.transportOffset + 18] }
    let wanted = last.segments(of: 50).map { $0.bytes[last.transportOffset + 16..<last.transportOffset + 18] }
    #expect(checksums.map(Array.init) == wanted.map(Array.init))

    var complete = header
    complete.flags = 0
    #expect(throws: DropReason.malformedFrame) { try cut(complete, bytes) }
  }

  @Test func aPlainFrameIsLeftAsItIs() throws {
    let frame = GuestFrame(payload: [1, 2, 3], padding: [9]).bytes
    #expect(try cut(VirtioNetHeader(), frame) == [frame])
    let arp = [UInt8](repeating: 255, count: 12) + [8, 6] + [UInt8](repeating: 1, count: 28)
    #expect(try cut(VirtioNetHeader(), arp) == [arp])
    #expect(try cut(VirtioNetHeader(), Array(arp.prefix(14))) == [Array(arp.prefix(14))])
    #expect(throws: DropReason.malformedFrame) { try cut(VirtioNetHeader(), Array(arp.prefix(13))) }
    #expect(throws: DropReason.malformedFrame) { try cut(VirtioNetHeader(), []) }
  }

  @Test func aChecksumThatWasLeftOpenIsCompleted() throws {
    for count in 0...40 {
      let frame = GuestFrame(tags: [(0x8100, 5)], payload: (0..<count).map { UInt8(truncatingIfNeeded: $0 &* 37) })
      var header = frame.virtioHeader(segmentSize: 0)
      header.gsoType = VirtioNetHeader.noSegmentation
      #expect(try cut(header, frame.partialBytes) == [frame.bytes])
    }
  }

  @Test func aChecksumOfZeroIsWrittenAsAllOnes() throws {
    // What is covered sums up to 0xffff.
    let frame = [UInt8](repeating: 0, count: 14) + [0, 0, 0xff, 0xff]
    var header = VirtioNetHeader()
    header.flags = VirtioNetHeader.needsChecksum
    header.checksumStart = 14
    #expect(try cut(header, frame) == [[UInt8](repeating: 0, count: 14) + [0xff, 0xff, 0xff, 0xff]])
  }

  @Test func aChecksumAtAnOddPlaceHarmsNobody() throws {
    let frame = (0..<41).map { UInt8($0) }
    for start in 14..<39 {
      for offset in 0..<(40 - start) {
        var header = VirtioNetHeader()
        header.flags = VirtioNetHeader.needsChecksum
        header.checksumStart = UInt16(start)
        header.checksumOffset = UInt16(offset)
        let frames = try cut(header, frame)
        #expect(frames.count == 1 && frames[0].count == frame.count && frames[0][..<14] == frame[..<14])
      }
    }
  }

  @Test(arguments: [(13, 0), (0, 20), (14, 40), (53, 0), (52, 1), (14, 65_535), (65_535, 65_535)])
  func aChecksumOutsideOfTheFrameIsRefused(start: UInt16, offset: UInt16) throws {
    var header = VirtioNetHeader()
    header.flags = VirtioNetHeader.needsChecksum
    header.checksumStart = start
    header.checksumOffset = offset
    #expect(throws: DropReason.malformedFrame) { try cut(header, GuestFrame().bytes) }
  }

  @Test func whatIsTooLargeIsRefused() throws {
    let frame = GuestFrame(payload: [UInt8](repeating: 1, count: 3000))
    let size = frame.headerSize + 1000
    #expect(try cut(frame.virtioHeader(segmentSize: 1000), frame.partialBytes, maximumFrame: size).count == 3)
    #expect(throws: DropReason.tooLarge) {
      try cut(frame.virtioHeader(segmentSize: 1000), frame.partialBytes, maximumFrame: size - 1)
    }
    #expect(throws: DropReason.tooLarge) { try cut(VirtioNetHeader(), frame.bytes, maximumFrame: 3053) }
    #expect(try cut(VirtioNetHeader(), frame.bytes, maximumFrame: 3054).count == 1)
  }

  @Test func aFrameThatWouldBecomeTooManyIsRefused() throws {
    let frame = GuestFrame(payload: [UInt8](repeating: 1, count: 1500 * 8))
    #expect(try cut(frame.virtioHeader(segmentSize: 8), frame.partialBytes).count == 1500)
    let longer = GuestFrame(payload: [UInt8](repeating: 1, count: 1500 * 8 + 1))
    #expect(throws: DropReason.malformedFrame) { try cut(longer.virtioHeader(segmentSize: 8), longer.partialBytes) }
  }

  @Test func aHeaderThatDoesNotFitTheFrameIsRefused() throws {
    let frame = GuestFrame(payload: [UInt8](repeating: 1, count: 100))
    let right = frame.virtioHeader(segmentSize: 50)
    var headers: [VirtioNetHeader] = []
    for type in [UInt8(2), 3, 4, 5, 0x7f, 0x80, 0xff] {
      headers.append(right)
      headers[headers.count - 1].gsoType = type
    }
    for size in [UInt16(0), 1, 7] {
      headers.append(right)
      headers[headers.count - 1].gsoSize = size
    }
    for start in [UInt16(0), 14, 33, 35, 65_535] {
      headers.append(right)
      headers[headers.count - 1].checksumStart = start
    }
    headers.append(right)
    headers[headers.count - 1].checksumOffset = 6
    for header in headers { #expect(throws: DropReason.malformedFrame) { try cut(header, frame.partialBytes) } }
    #expect(try cut(right, frame.partialBytes).count == 2)
  }

  @Test func aSuperFrameThatIsAFragmentOrNoTCPIsRefused() throws {
    let payload = [UInt8](repeating: 1, count: 100)
    for fragment in [UInt16(0x2000), 0x0001, 0x2001] {
      let frame = GuestFrame(fragment: fragment, payload: payload)
      #expect(throws: DropReason.malformedFrame) { try cut(frame.virtioHeader(segmentSize: 50), frame.partialBytes) }
    }
    let frame = GuestFrame(payload: payload)
    for number in [UInt8(17), 1, 47] {
      var bytes = frame.partialBytes
      bytes[23] = number
      #expect(throws: DropReason.malformedFrame) { try cut(frame.virtioHeader(segmentSize: 50), bytes) }
    }
    var arp = frame.partialBytes
    arp[13] = 6
    #expect(throws: DropReason.malformedFrame) { try cut(frame.virtioHeader(segmentSize: 50), arp) }
  }
}
