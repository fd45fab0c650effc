/// A run of bytes that belongs to a frame. Laid out as `struct iovec`, so that an array of them goes to `writev` as
/// it is.
package struct Piece {
  package var base: UnsafeRawPointer
  /// In bytes.
  package var count: Int

  package init(base: UnsafeRawPointer, count: Int) {
    self.base = base
    self.count = count
  }
}

/// Takes the frames that a `SegmentJoiner` lets go.
package protocol FrameSink {
  /// The pieces, one after the other, are one frame from its Ethernet header on. They stand only during the call.
  mutating func write(network: Int, header: VirtioNetHeader, pieces: UnsafeBufferPointer<Piece>)
}
