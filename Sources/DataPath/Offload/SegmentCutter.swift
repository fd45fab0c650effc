/// Cuts what a guest handed over in one piece into frames that fit the network, each with its checksums complete.
///
/// A TCP super-frame becomes segments as TCP segmentation offload of Linux makes them (`tcp_gso_segment`,
/// `inet_gso_segment`): the identification of IPv4 counts up, FIN and PSH stand on the last segment only, CWR on the
/// first only (RFC 3168, section 6.1.2). Any other frame is written as it is, but for a checksum that was left to be
/// filled in.
package struct SegmentCutter {
  /// Linux lets no TCP connection carry less payload in a segment of a super-frame (`TCP_MIN_SND_MSS` of `net/tcp.h`,
  /// without options).
  package static let minimumSegment = 8
  /// More than a frame of 64 KiB becomes at any MSS of a real path; it bounds the work that a guest makes by one frame.
  package static let maximumSegments = 1500

  private let base: UnsafeRawPointer
  /// nil for a frame that is not cut.
  private let template: SegmentTemplate?
  private let checksum: PartialChecksum?
  /// Behind the payload, in bytes from the start of the frame.
  private let end: Int
  private let segmentSize: Int
  private var cursor: Int
  private var index = 0

  /// How many frames are still to come.
  package private(set) var remaining: Int
  /// The sum of the frame that `next` wrote last (`InternetChecksum`).
  package private(set) var frameSum: UInt64 = 0

  /// - Parameters:
  ///   - frame: from the Ethernet header on; stands as long as the cutter is used.
  ///   - maximumFrame: of the frames that leave, in bytes, with the Ethernet header.
  /// - Throws: `malformedFrame` or `tooLarge`.
  package init(
    _ header: VirtioNetHeader, _ frame: UnsafeRawBufferPointer, maximumFrame: Int
  ) throws(DropReason) {
    guard let base = frame.baseAddress, frame.count >= FrameLayout.ethernetSize else { throw .malformedFrame }
    self.base = base
    if header.gsoType == VirtioNetHeader.noSegmentation {
      template = nil
      checksum = try PartialChecksum(header, frameLength: frame.count)
      (cursor, end, segmentSize, remaining) = (0, frame.count, frame.count, 1)
    } else {
      let layout = try FrameLayout(frame)
      try Self.check(header, layout)
      template = try SegmentTemplate(header, layout, base: base)
      checksum = nil
      (cursor, end, segmentSize) = (layout.payloadOffset, layout.endOffset, Int(header.gsoSize))
      remaining = max(1, (end - cursor + segmentSize - 1) / segmentSize)
    }
    guard remaining <= Self.maximumSegments else { throw .malformedFrame }
    guard nextSize <= maximumFrame else { throw .tooLarge }
  }

  private static func check(_ header: VirtioNetHeader, _ layout: FrameLayout) throws(DropReason) {
    let type = header.gsoType & ~VirtioNetHeader.ecn
    let version: UInt8 = type == VirtioNetHeader.tcp4 ? 4 : type == VirtioNetHeader.tcp6 ? 6 : 0
    guard version != 0, layout.networkVersion == version, layout.protocolNumber == FrameLayout.tcp,
      layout.transportOffset != 0, !layout.isFragment, header.gsoSize >= minimumSegment
    else { throw .malformedFrame }
  }

  package var isAtEnd: Bool { remaining == 0 }

  /// Of the frame that `next` writes, in bytes; 0 at the end. All but the last have the same size.
  package var nextSize: Int {
    remaining == 0 ? 0 : (template?.headerSize ?? 0) &+ min(segmentSize, end &- cursor)
  }

  /// Writes one frame; none at the end.
  ///
  /// - Parameter target: room for `nextSize` bytes, outside of the frame that is cut.
  /// - Returns: how many bytes it has.
  package mutating func next(into target: UnsafeMutableRawPointer) -> Int {
    guard remaining != 0 else { return 0 }
    remaining &-= 1
    guard let template else {
      frameSum = checksum?.copy(base, end, to: target) ?? InternetChecksum.copy(base, end, to: target)
      return end
    }
    let size = min(segmentSize, end &- cursor)
    let sum = InternetChecksum.copy(base + cursor, size, to: target + template.headerSize)
    let position = SegmentTemplate.Position(
      index: index, isLast: remaining == 0, offset: cursor &- template.headerSize, payloadLength: size, payloadSum: sum)
    frameSum = template.write(position, to: target)
    cursor &+= size
    index &+= 1
    return template.headerSize &+ size
  }
}
