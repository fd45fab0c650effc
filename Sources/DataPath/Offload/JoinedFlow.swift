/// The segments of one TCP flow that wait to become one super-frame. Its pieces are in an array beside it.
struct JoinedFlow {
  /// A super-frame is no longer, from its IP header on: the total length of IPv4 has 16 bits.
  static let maximumLength = 65_535

  let key: UInt64
  let network: Int
  private let base: UnsafeMutableRawPointer
  private let networkOffset: Int
  private let transportOffset: Int
  private let payloadOffset: Int
  private let isIPv4: Bool
  private let segmentSize: Int
  private var nextSequence: UInt32
  /// From the IP header on, in bytes.
  private var length: Int
  private var isPushed = false
  private(set) var count = 1

  /// Begins with a segment that can be joined and has payload.
  init(_ base: UnsafeMutableRawPointer, _ layout: FrameLayout, key: UInt64, network: Int) {
    self.base = base
    self.key = key
    self.network = network
    networkOffset = layout.networkOffset
    transportOffset = layout.transportOffset
    payloadOffset = layout.payloadOffset
    isIPv4 = layout.networkVersion == 4
    segmentSize = layout.endOffset - layout.payloadOffset
    length = layout.endOffset - layout.networkOffset
    nextSequence = layout.tcpSequence &+ UInt32(truncatingIfNeeded: segmentSize)
  }

  /// Takes the next segment if it is one: the flow's next byte, no larger than the first, and the same headers but for
  /// lengths, identification, sequence number, checksums and PSH.
  mutating func append(_ frame: UnsafeRawPointer, _ layout: FrameLayout) -> Bool {
    let size = layout.endOffset &- layout.payloadOffset
    guard layout.tcpSequence == nextSequence, size <= segmentSize, length &+ size <= Self.maximumLength,
      hasEqualHeaders(frame, layout)
    else { return false }
    nextSequence &+= UInt32(truncatingIfNeeded: size)
    length &+= size
    count &+= 1
    isPushed = layout.tcpFlags & TCPFlags.push != 0
    isComplete = isPushed || size < segmentSize
    return true
  }

  /// Nothing can follow the last segment.
  private(set) var isComplete = false

  private func hasEqualHeaders(_ frame: UnsafeRawPointer, _ layout: FrameLayout) -> Bool {
    guard layout.networkOffset == networkOffset, layout.transportOffset == transportOffset,
      layout.payloadOffset == payloadOffset
    else { return false }
    let own = UnsafeRawPointer(base)
    // The Ethernet header has 14, 18 or 22 bytes.
    var difference = differ64(own, frame, 0) | differ64(own, frame, 6) | differ64(own, frame, networkOffset &- 8)
    if isIPv4 {
      difference |= differ16(own, frame, networkOffset) | differ32(own, frame, networkOffset &+ 6)
      difference |= differ64(own, frame, networkOffset &+ 12)
    } else {
      difference |= differ32(own, frame, networkOffset) | differ16(own, frame, networkOffset &+ 6)
      difference |= differ64(own, frame, networkOffset &+ 8) | differ64(own, frame, networkOffset &+ 16)
      difference |= differ64(own, frame, networkOffset &+ 24) | differ64(own, frame, networkOffset &+ 32)
    }
    difference |= differ32(own, frame, transportOffset) | differ32(own, frame, transportOffset &+ 8)
    difference |= differ16(own, frame, transportOffset &+ 14)
    var offset = transportOffset &+ 18
    difference |= differ16(own, frame, offset)
    offset &+= 2
    while offset < payloadOffset {
      difference |= differ32(own, frame, offset)
      offset &+= 4
    }
    return difference == 0
  }

  /// Makes the first frame's headers those of the super-frame.
  func seal() -> VirtioNetHeader {
    let packet = base + networkOffset
    let segment = base + transportOffset
    let whole = UInt16(truncatingIfNeeded: length)
    let addresses: UInt64
    if isIPv4 {
      packet.store16(whole, at: 2)
      packet.store16(0, at: 10)
      let sum = InternetChecksum.sum(UnsafeRawPointer(packet), transportOffset &- networkOffset)
      packet.storeBytes(of: InternetChecksum.checksum(sum), toByteOffset: 10, as: UInt16.self)
      addresses = InternetChecksum.sum(UnsafeRawPointer(packet) + 12, 8)
    } else {
      packet.store16(whole &- 40, at: 4)
      addresses = InternetChecksum.sum(UnsafeRawPointer(packet) + 8, 32)
    }
    let pseudo = InternetChecksum.pseudoHeader(
      protocolNumber: FrameLayout.tcp, length: length &- (transportOffset &- networkOffset))
    if isPushed { segment.store8(UnsafeRawPointer(segment).network8(13) | TCPFlags.push, at: 13) }
    let partial = InternetChecksum.fold(InternetChecksum.add(addresses, pseudo))
    segment.storeBytes(of: partial, toByteOffset: 16, as: UInt16.self)
    var header = VirtioNetHeader()
    header.flags = VirtioNetHeader.needsChecksum
    header.gsoType = isIPv4 ? VirtioNetHeader.tcp4 : VirtioNetHeader.tcp6
    header.headerLength = UInt16(truncatingIfNeeded: payloadOffset)
    header.gsoSize = UInt16(truncatingIfNeeded: segmentSize)
    header.checksumStart = UInt16(truncatingIfNeeded: transportOffset)
    header.checksumOffset = 16
    return header
  }
}

// The bits in which two frames differ at an offset.

private func differ64(_ left: UnsafeRawPointer, _ right: UnsafeRawPointer, _ offset: Int) -> UInt64 {
  left.loadUnaligned(fromByteOffset: offset, as: UInt64.self)
    ^ right.loadUnaligned(fromByteOffset: offset, as: UInt64.self)
}

private func differ32(_ left: UnsafeRawPointer, _ right: UnsafeRawPointer, _ offset: Int) -> UInt64 {
  UInt64(
    left.loadUnaligned(fromByteOffset: offset, as: UInt32.self)
      ^ right.loadUnaligned(fromByteOffset: offset, as: UInt32.self))
}

private func differ16(_ left: UnsafeRawPointer, _ right: UnsafeRawPointer, _ offset: Int) -> UInt64 {
  UInt64(
    left.loadUnaligned(fromByteOffset: offset, as: UInt16.self)
      ^ right.loadUnaligned(fromByteOffset: offset, as: UInt16.self))
}
