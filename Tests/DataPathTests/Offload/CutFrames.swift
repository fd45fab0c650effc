import DataPath

/// Cuts a frame whose memory ends where it ends, into memory that ends where each cut frame ends, so that a byte too
/// far is found by tools that watch memory.
func cut(
  _ header: VirtioNetHeader, _ frame: [UInt8], maximumFrame: Int = 1514
) throws -> [[UInt8]] {
  try frame.withUnsafeBytes { bytes in
    var cutter = try SegmentCutter(header, bytes, maximumFrame: maximumFrame)
    var frames: [[UInt8]] = []
    while !cutter.isAtEnd {
      let size = cutter.nextSize
      let remaining = cutter.remaining
      var written = 0
      let bytes = [UInt8](unsafeUninitializedCapacity: size) { buffer, count in
        guard let base = buffer.baseAddress else { return }
        written = cutter.next(into: base)
        count = size
      }
      let sum = bytes.withUnsafeBytes { InternetChecksum.fold(InternetChecksum.sum($0)) }
      guard written == size, cutter.remaining == remaining - 1, size <= maximumFrame,
        InternetChecksum.fold(cutter.frameSum) % 0xffff == sum % 0xffff
      else { throw CutterContradictsItself(written: written, size: size) }
      frames.append(bytes)
    }
    guard cutter.nextSize == 0 else { throw CutterContradictsItself(written: 0, size: cutter.nextSize) }
    return frames
  }
}

struct CutterContradictsItself: Error {
  var written: Int
  var size: Int
}
