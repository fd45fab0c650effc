import DataPath
import Testing

@Suite struct FrameLayoutTests {
  private func layout(_ bytes: [UInt8]) throws -> FrameLayout { try bytes.withUnsafeBytes { try FrameLayout($0) } }

  @Test(arguments: [0, 1, 2]) func headersAreFoundBehindTags(count: Int) throws {
    for isIPv6 in [false, true] {
      var frame = GuestFrame.large(isIPv6: isIPv6, count: 30)
      frame.tags = Array([(0x88a8, 7), (0x8100, 4095)].prefix(count))
      frame.padding = [0, 0, 0]
      frame.flags = 0x52
      let layout = try layout(frame.bytes)
      #expect(layout.etherType == (isIPv6 ? FrameLayout.ipv6 : FrameLayout.ipv4))
      #expect(layout.networkVersion == (isIPv6 ? 6 : 4) && layout.protocolNumber == FrameLayout.tcp)
      #expect(layout.networkOffset == frame.ethernetSize && layout.transportOffset == frame.transportOffset)
      #expect(layout.payloadOffset == frame.headerSize && layout.endOffset == frame.headerSize + 30)
      #expect(layout.tcpSequence == frame.sequence && layout.tcpFlags == 0x52)
      #expect(!layout.isFragment && !layout.hasOptions)
    }
  }

  @Test func aThirdTagIsOpaque() throws {
    var frame = GuestFrame(payload: [1])
    frame.tags = [(0x88a8, 7), (0x8100, 5), (0x8100, 6)]
    let layout = try layout(frame.bytes)
    #expect(layout.etherType == 0x8100 && layout.networkVersion == 0 && layout.transportOffset == 0)
  }

  @Test func optionsOfIPv4AreSkipped() throws {
    let frame = GuestFrame(ipOptions: [UInt8](repeating: 1, count: 40), payload: [1])
    let layout = try layout(frame.bytes)
    #expect(layout.hasOptions && layout.transportOffset == 74 && layout.payloadOffset == 94)
  }

  @Test func extensionHeadersOfIPv6AreSkipped() throws {
    let options: (UInt8, [UInt8]) = (60, [1] + [UInt8](repeating: 0, count: 14))
    let frame = GuestFrame(
      isIPv6: true, extensions: [(0, [0, 1, 4, 0, 0, 0, 0]), options, (43, [0, 4, 0, 0, 0, 0, 0]), options],
      payload: [1])
    let layout = try layout(frame.bytes)
    #expect(layout.hasOptions && !layout.isFragment && layout.protocolNumber == FrameLayout.tcp)
    #expect(layout.transportOffset == 14 + 40 + 8 + 16 + 8 + 16 && layout.payloadOffset == frame.headerSize)
  }

  @Test func aChainOfExtensionHeadersIsWalkedToAnEnd() throws {
    let hop: (UInt8, [UInt8]) = (0, [0, 1, 4, 0, 0, 0, 0])
    let eight = GuestFrame(isIPv6: true, extensions: Array(repeating: hop, count: 8), payload: [1])
    #expect(try layout(eight.bytes).transportOffset == eight.transportOffset)
    let nine = GuestFrame(isIPv6: true, extensions: Array(repeating: hop, count: 9), payload: [1])
    #expect(throws: DropReason.malformedFrame) { try layout(nine.bytes) }
    let long = GuestFrame(isIPv6: true, extensions: [(60, [255, 0, 0, 0, 0, 0, 0])], payload: [1])
    #expect(throws: DropReason.malformedFrame) { try layout(long.bytes) }
  }

  @Test func fragmentsAreKnown() throws {
    let first = try layout(GuestFrame(fragment: 0x2000, payload: [1]).bytes)
    #expect(first.isFragment && first.transportOffset == 34 && first.payloadOffset == 34)
    let later = try layout(GuestFrame(fragment: 0x0001, payload: [1]).bytes)
    #expect(later.isFragment && later.transportOffset == 0 && later.protocolNumber == FrameLayout.tcp)
    for (rest, hasStart) in [([UInt8(0), 0, 1, 0, 0, 0, 1], true), ([0, 0, 9, 0, 0, 0, 1], false)] {
      let frame = GuestFrame(isIPv6: true, extensions: [(44, rest)], payload: [1])
      let layout = try layout(frame.bytes)
      #expect(layout.isFragment && layout.protocolNumber == FrameLayout.tcp)
      #expect(layout.transportOffset == (hasStart ? frame.transportOffset : 0))
    }
  }

  @Test func udpAndOtherProtocols() throws {
    var bytes = GuestFrame(payload: [1]).bytes
    bytes[23] = 17
    #expect(try layout(bytes).payloadOffset == 42)
    bytes[23] = 1
    #expect(try layout(bytes).payloadOffset == 34)
    // A UDP header that is cut off.
    bytes[23] = 17
    bytes.set(27, at: 16)
    #expect(throws: DropReason.malformedFrame) { try layout(bytes) }
  }

  @Test func whatIsNoIPHasOnlyAnEthernetHeader() throws {
    let layout = try layout([UInt8](repeating: 255, count: 12) + [8, 6] + [1, 2, 3])
    #expect(layout.etherType == 0x0806 && layout.networkVersion == 0 && layout.endOffset == 17)
    #expect(layout.transportOffset == 0 && layout.payloadOffset == 0)
  }

  @Test func aFrameThatIsCutOffAnywhereInItsHeadersIsMalformed() {
    var frames = [GuestFrame.large(count: 3), GuestFrame.large(isIPv6: true, count: 3)]
    frames[0].tags = [(0x8100, 1), (0x8100, 2)]
    frames[1].extensions = [(0, [0, 1, 4, 0, 0, 0, 0])]
    for frame in frames {
      for count in 0..<frame.bytes.count {
        #expect(throws: DropReason.malformedFrame) { try layout(Array(frame.bytes.prefix(count))) }
      }
    }
  }

  @Test(arguments: [(14, UInt8(0x44)), (14, 0x65), (14, 0x4f), (17, 19), (46, 0x40), (46, 0xf0)])
  func aLengthThatLiesIsMalformed(offset: Int, value: UInt8) throws {
    var bytes = GuestFrame(payload: [1]).bytes
    _ = try layout(bytes)
    bytes[offset] = value
    if offset == 17 { bytes[16] = 0 }
    #expect(throws: DropReason.malformedFrame) { try layout(bytes) }
  }

  @Test func aJumbogramIsMalformed() {
    var bytes = GuestFrame(isIPv6: true, extensions: [(0, [0, 0xc2, 4, 0, 1, 0, 0])], payload: [1]).bytes
    bytes.set(0, at: 18)
    #expect(throws: DropReason.malformedFrame) { try layout(bytes) }
  }
}
