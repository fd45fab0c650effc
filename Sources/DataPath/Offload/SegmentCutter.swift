/// Cuts what a guest handed over in one piece into frames that fit the network.
package struct SegmentCutter {
  private let frame: UnsafeRawBufferPointer
  package private(set) var isAtEnd = false
  /// The sum of the frame that `next` wrote last (`InternetChecksum`).
  package private(set) var frameSum: UInt64 = 0

  /// - Parameters:
  ///   - frame: from the Ethernet header on; stands as long as the cutter is used.
  ///   - maximumFrame: in bytes, with the Ethernet header.
  package init(
    _ header: VirtioNetHeader, _ frame: UnsafeRawBufferPointer, maximumFrame: Int
  ) throws(DropReason) {
    guard header == VirtioNetHeader(), frame.count >= 14 else { throw .malformedFrame }
    guard frame.count <= maximumFrame else { throw .tooLarge }
    self.frame = frame
  }

  /// Of the frame that `next` writes, in bytes; 0 at the end.
  package var nextSize: Int { isAtEnd ? 0 : frame.count }

  /// Writes one frame with all checksums complete; none at the end.
  ///
  /// - Parameter target: room for `nextSize` bytes.
  /// - Returns: how many bytes it has.
  package mutating func next(into target: UnsafeMutableRawPointer) -> Int {
    guard !isAtEnd, let base = frame.baseAddress else { return 0 }
    frameSum = InternetChecksum.copy(base, frame.count, to: target)
    isAtEnd = true
    return frame.count
  }
}
