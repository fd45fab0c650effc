import DataPath

/// Streams of a few TCP flows, cut and changed as the input says, that go through a joiner. What comes out is cut again
/// and must be what went in, each flow in its order.
struct OffloadRun: FrameSink {
  private struct Flow {
    var frame: [UInt8]
    var sequence: UInt32
  }

  /// What went in or came out, without what joining may change: the identification of an IPv4 packet that has DF, and
  /// the checksum over it.
  private struct Passed {
    var network: Int
    var frame: [UInt8]
  }

  /// Headers of Ethernet, IP and TCP: IPv4, IPv6, IPv4 with a tag.
  static let templates: [[UInt8]] = {
    let stations: [UInt8] = [2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2]
    let v4: [UInt8] = [0x45, 0, 0, 52, 0, 1, 0x40, 0, 64, 6, 0, 0, 192, 0, 2, 1, 192, 0, 2, 2]
    let address: [UInt8] = [0x20, 1, 0x0d, 0xb8] + [UInt8](repeating: 0, count: 12)
    let v6: [UInt8] = [0x60, 0, 0, 0, 0, 32, 6, 64] + address + address
    let tcp: [UInt8] =
      [0x13, 0x88, 0x9c, 0x40, 0, 0, 0, 1, 0, 0, 0, 2, 0x80, 0x10, 1, 0, 0, 0, 0, 0] + [1, 1, 8, 10]
      + [0, 0, 0, 1, 0, 0, 0, 2]
    return [
      stations + [8, 0] + v4 + tcp, stations + [0x86, 0xdd] + v6 + tcp,
      stations + [0x81, 0, 0, 5, 8, 0] + v4 + tcp,
    ]
  }()

  private var joiner = JoinerBox()
  private var flows: [Flow]
  private var sent: [Passed] = []
  private var received: [Passed] = []
  /// The joiner's frames stand until it is flushed.
  private var memory: [UnsafeMutableRawBufferPointer] = []

  init(count: Int) { flows = Self.templates.prefix(count).map { Flow(frame: $0, sequence: 1) } }

  mutating func step(_ input: inout FuzzInput) {
    let action = input.byte()
    let index = Int(action & 3) % flows.count
    let network = Int(action >> 2 & 1)
    var frame = flows[index].frame
    let layout = required("a template is well formed") { try frame.withUnsafeBytes { try FrameLayout($0) } }
    let count = Int(input.byte()) * (action & 8 == 0 ? 1 : 6)
    frame += [UInt8](repeating: input.byte(), count: count)
    frame.set32(flows[index].sequence, at: layout.transportOffset + 4)
    let length = frame.count - layout.networkOffset
    if layout.networkVersion == 4 {
      frame.set16(UInt16(length), at: layout.networkOffset + 2)
    } else {
      frame.set16(UInt16(length - 40), at: layout.networkOffset + 4)
    }
    if action & 16 != 0 { frame[layout.transportOffset + 13] |= 8 }
    if action & 32 != 0 { frame[Int(input.byte()) % frame.count] ^= input.byte() }
    frame.completeChecksums()
    if action & 64 != 0 { frame[Int(input.byte()) % frame.count] ^= input.byte() }
    if action & 128 == 0 { flows[index].sequence &+= UInt32(count) }
    add(frame, network: network)
    if action == 0xff { flush() }
  }

  mutating func finish() {
    flush()
    require(sent.count == received.count, "as many frames come out as went in")
    require(Self.byFlow(sent) == Self.byFlow(received), "each flow's frames come out in their order")
  }

  /// What is no TCP with ports is of no flow, and keeps its order among its kind.
  private static func byFlow(_ passed: [Passed]) -> [[UInt8]: [[UInt8]]] {
    Dictionary(grouping: passed) { [UInt8($0.network)] + $0.frame.flow }.mapValues { $0.map(\.frame) }
  }

  private mutating func add(_ frame: [UInt8], network: Int) {
    let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: frame.count, alignment: 1)
    buffer.copyBytes(from: frame)
    memory.append(buffer)
    sent.append(Passed(network: network, frame: frame.withoutIdentification))
    joiner.joiner.add(buffer, network: network, to: &self)
  }

  private mutating func flush() {
    joiner.joiner.flush(to: &self)
    for buffer in memory { buffer.deallocate() }
    memory = []
  }

  mutating func write(network: Int, header: VirtioNetHeader, pieces: UnsafeBufferPointer<Piece>) {
    let bytes = pieces.flatMap { [UInt8](UnsafeRawBufferPointer(start: $0.base, count: $0.count)) }
    require(bytes.count <= 65_535 + 22, "a super-frame is no longer than IP allows")
    guard let frames = Self.cut(header, bytes, maximumFrame: 65_535 + 22) else {
      fatalError("what is joined can be cut")
    }
    require(header == VirtioNetHeader() ? pieces.count == 1 : frames.count == pieces.count, "a piece is a segment")
    received += frames.map { Passed(network: network, frame: $0.withoutIdentification) }
  }

  /// nil if it is refused.
  static func cut(_ header: VirtioNetHeader, _ frame: [UInt8], maximumFrame: Int) -> [[UInt8]]? {
    frame.withUnsafeBytes { bytes in
      guard var cutter = try? SegmentCutter(header, bytes, maximumFrame: maximumFrame) else { return nil }
      var frames: [[UInt8]] = []
      while !cutter.isAtEnd {
        let size = cutter.nextSize
        let frame = [UInt8](unsafeUninitializedCapacity: size) { buffer, count in
          guard let base = buffer.baseAddress else { return }
          count = cutter.next(into: base)
        }
        require(frame.count == size, "a frame has the size that was told")
        let sum = InternetChecksum.fold(frame.withUnsafeBytes { InternetChecksum.sum($0) })
        require(InternetChecksum.fold(cutter.frameSum) % 0xffff == sum % 0xffff, "a frame has the sum that was told")
        frames.append(frame)
      }
      return frames
    }
  }
}

/// A joiner cannot be copied, so that what holds it cannot be either; a class can.
private final class JoinerBox {
  var joiner = SegmentJoiner()
}

extension [UInt8] {
  fileprivate mutating func set16(_ value: UInt16, at offset: Int) {
    self[offset] = UInt8(value >> 8)
    self[offset + 1] = UInt8(truncatingIfNeeded: value)
  }

  fileprivate mutating func set32(_ value: UInt32, at offset: Int) {
    set16(UInt16(value >> 16), at: offset)
    set16(UInt16(truncatingIfNeeded: value), at: offset + 2)
  }

  private func sum(_ range: Range<Int>, _ start: Int = 0) -> UInt16 {
    var sum = start
    for (index, byte) in self[range].enumerated() { sum += Int(byte) << (index % 2 == 0 ? 8 : 0) }
    while sum > 0xffff { sum = sum & 0xffff + sum >> 16 }
    return UInt16(sum)
  }

  /// Makes the checksums of IPv4 and TCP right, if that is what it is.
  fileprivate mutating func completeChecksums() {
    guard let layout = FrameLayout(of: self), layout.transportOffset != 0, layout.protocolNumber == FrameLayout.tcp
    else { return }
    let network = layout.networkOffset
    if layout.networkVersion == 4 {
      set16(0, at: network + 10)
      set16(~sum(network..<layout.transportOffset), at: network + 10)
    }
    let length = layout.endOffset - layout.transportOffset
    set16(0, at: layout.transportOffset + 16)
    let addresses = layout.networkVersion == 4 ? network + 12..<network + 20 : network + 8..<network + 40
    let pseudo = Int(sum(addresses, 6 + length))
    set16(~sum(layout.transportOffset..<layout.endOffset, pseudo), at: layout.transportOffset + 16)
  }

  fileprivate var withoutIdentification: [UInt8] {
    guard let layout = FrameLayout(of: self), layout.networkVersion == 4, self[layout.networkOffset + 6] & 0x40 != 0,
      !layout.isFragment
    else { return self }
    var frame = self
    let network = layout.networkOffset
    frame.replaceSubrange(network + 4..<network + 6, with: [0, 0])
    // A wrong checksum stays a wrong one.
    let isRight = sum(network..<layout.networkOffset + Int(self[network] & 0xf) * 4) == 0xffff
    frame.replaceSubrange(network + 10..<network + 12, with: isRight ? [0, 0] : [0xff, 0xff])
    return frame
  }

  /// The addresses and ports of TCP.
  fileprivate var flow: [UInt8] {
    guard let layout = FrameLayout(of: self), layout.transportOffset != 0, layout.protocolNumber == FrameLayout.tcp
    else { return [] }
    let network = layout.networkOffset
    let addresses = layout.networkVersion == 4 ? network + 12..<network + 20 : network + 8..<network + 40
    return Array(self[addresses] + self[layout.transportOffset..<layout.transportOffset + 4])
  }
}
