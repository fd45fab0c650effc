import DataPath

/// Frames of guests with their virtio headers, and what is inside an ESP packet: the decoders and offloads of the
/// packet path.
struct PacketsTarget: FuzzTarget {
  func run(_ bytes: [UInt8]) {
    var input = FuzzInput(bytes)
    switch input.number(below: 4) {
    case 0: checkLayout(input.everything())
    case 1: checkInner(nextHeader: input.byte(), input.everything())
    case 2: checkCutting(&input)
    default: checkJoining(&input)
    }
  }

  // MARK: Decoders

  private func checkLayout(_ frame: [UInt8]) {
    require(FlowHash.port(of: frame) >= 0xc000, "a flow's port is one of the dynamic ports")
    guard let layout = FrameLayout(of: frame) else { return }
    require(layout.networkOffset >= 14 && layout.networkOffset <= layout.endOffset, "the network is behind Ethernet")
    require(layout.endOffset <= frame.count, "a packet ends within its frame")
    require(layout.networkVersion != 0 || layout.transportOffset == 0, "only IP has a transport")
    guard layout.transportOffset != 0 else { return }
    let least = layout.networkOffset + (layout.networkVersion == 4 ? 20 : 40)
    require(layout.transportOffset >= least, "the transport is behind the IP header")
    require(layout.payloadOffset >= layout.transportOffset, "the payload is behind the transport's header")
    require(layout.payloadOffset <= layout.endOffset, "headers end within their packet")
  }

  private func checkInner(nextHeader: UInt8, _ bytes: [UInt8]) {
    guard let inner = bytes.withUnsafeBytes({ try? InnerHeader.read(nextHeader: nextHeader, $0) }) else { return }
    require(inner.kind.nextHeader == nextHeader && inner.frameOffset == inner.kind.size, "a tunnel is of its kind")
    require(inner.frameLength >= 14 && inner.frameOffset + inner.frameLength <= bytes.count, "a frame is in its packet")
    require((1..<1 << 24).contains(inner.vni.value), "a VNI is one of a network")
  }

  // MARK: Offloads

  private func checkCutting(_ input: inout FuzzInput) {
    let header = (0..<VirtioNetHeader.size).map { _ in input.byte() }.withUnsafeBytes { bytes in
      bytes.baseAddress.map { VirtioNetHeader(reading: $0) } ?? VirtioNetHeader()
    }
    let maximumFrame = Int(input.byte()) << 8 | Int(input.byte())
    let frame = input.everything()
    guard let frames = OffloadRun.cut(header, frame, maximumFrame: maximumFrame) else { return }
    require(!frames.isEmpty, "a frame that is taken is written")
    require(frames.allSatisfy { $0.count <= maximumFrame }, "no frame is longer than it may be")
    require(frames.allSatisfy { $0[..<12] == frame[..<12] }, "the stations of a frame stay the same")
    guard header.gsoType != VirtioNetHeader.noSegmentation, let layout = FrameLayout(of: frame) else {
      require(frames.count == 1 && frames[0].count == frame.count, "a plain frame keeps its length")
      return
    }
    let payload = frames.flatMap { $0[layout.payloadOffset...] }
    require(payload == Array(frame[layout.payloadOffset..<layout.endOffset]), "no payload is lost or made up")
    require(frames.allSatisfy { FrameLayout(of: $0) != nil }, "what is cut is well formed")
    require(frames.dropLast().allSatisfy { $0.count == frames[0].count }, "only the last segment is shorter")
  }

  private func checkJoining(_ input: inout FuzzInput) {
    var run = OffloadRun(count: 1 + input.number(below: 3))
    while !input.isAtEnd { run.step(&input) }
    run.finish()
  }

  func seeds() -> [[UInt8]] {
    let headers: [[UInt8]] = OffloadRun.templates
    let layouts = headers.map { [0] + $0 + [1, 2, 3] }
    let frame = [UInt8](repeating: 5, count: 60)
    let inner: [[UInt8]] = [
      [1, 17, 0xc0, 1, 0x1d, 0xff, 0, 76, 0, 0, 8, 0, 0, 0, 0, 0, 5, 0] + frame,
      [1, 47, 0x20, 0, 0x65, 0x58, 0, 0, 0, 5] + frame,
    ]
    let cutting: [[UInt8]] = headers.map { header in
      let isIPv6 = header[12] == 0x86
      let start: UInt8 = isIPv6 ? 54 : 34
      var frame = header + [UInt8](repeating: 7, count: 200)
      let length = UInt8(truncatingIfNeeded: frame.count - (isIPv6 ? 54 : 14))
      frame[isIPv6 ? 19 : 17] = length
      return [2, 1, isIPv6 ? 4 : 1, 66, 0, 50, 0, start, 0, 16, 0, 5, 220] + frame
    }
    let joining: [[UInt8]] = [
      [3, 2] + [UInt8](repeating: 0, count: 30), [3, 0, 0, 1, 0, 7, 0, 2, 9, 40, 3, 0, 1, 1, 0, 4, 0, 0],
      [3, 1] + (0..<120).map { UInt8($0) },
    ]
    return layouts + inner + cutting + joining
  }
}

extension FrameLayout {
  init?(of frame: [UInt8]) {
    guard let layout = frame.withUnsafeBytes({ try? FrameLayout($0) }) else { return nil }
    self = layout
  }
}

extension FlowHash {
  static func port(of frame: [UInt8]) -> UInt16 { frame.withUnsafeBytes { port($0) } }
}
