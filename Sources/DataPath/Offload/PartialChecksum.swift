/// A checksum that a guest left to be filled in: `VIRTIO_NET_HDR_F_NEEDS_CSUM` (virtio 1.2, section 5.1.6.2).
struct PartialChecksum {
  private let start: Int
  /// Where the checksum is, in bytes from the start of the frame.
  private let position: Int

  /// nil if there is nothing to fill in. The Ethernet header is never changed.
  init?(_ header: VirtioNetHeader, frameLength: Int) throws(DropReason) {
    guard header.flags & VirtioNetHeader.needsChecksum != 0 else { return nil }
    start = Int(header.checksumStart)
    position = start + Int(header.checksumOffset)
    guard start >= FrameLayout.ethernetSize, position + 2 <= frameLength else { throw .malformedFrame }
  }

  /// Copies a frame and completes the checksum in the copy, as `skb_checksum_help` of Linux does: from `start` to the
  /// end, with the sum of the pseudo-header that stands in its place; never 0, which means "no checksum" to UDP.
  ///
  /// - Returns: the sum of the frame.
  func copy(_ base: UnsafeRawPointer, _ count: Int, to target: UnsafeMutableRawPointer) -> UInt64 {
    let before = InternetChecksum.copy(base, start, to: target)
    let covered = InternetChecksum.copy(base + start, count &- start, to: target + start)
    let partial = target.loadUnaligned(fromByteOffset: position, as: UInt16.self)
    let sum = InternetChecksum.checksum(covered)
    let checksum = sum == 0 ? .max : sum
    target.storeBytes(of: checksum, toByteOffset: position, as: UInt16.self)
    if (start | position) & 1 != 0 { return InternetChecksum.sum(UnsafeRawPointer(target), count) }
    let whole = InternetChecksum.add(before, covered)
    return InternetChecksum.add(whole, UInt64(~partial) &+ UInt64(checksum))
  }
}
