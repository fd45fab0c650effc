import DataPath

/// Keeps what a joiner lets go.
struct RecordingSink: FrameSink {
  struct Written: Equatable {
    var network: Int
    var header: VirtioNetHeader
    var bytes: [UInt8]
    var pieces: Int
  }

  var written: [Written] = []

  mutating func write(network: Int, header: VirtioNetHeader, pieces: UnsafeBufferPointer<Piece>) {
    let bytes = pieces.flatMap { [UInt8](UnsafeRawBufferPointer(start: $0.base, count: $0.count)) }
    written.append(Written(network: network, header: header, bytes: bytes, pieces: pieces.count))
  }
}

/// Gives frames to a joiner, each in memory of its own that ends where it ends, and flushes.
func join(_ frames: [[UInt8]], networks: [Int] = []) -> [RecordingSink.Written] {
  var joiner = SegmentJoiner()
  var sink = RecordingSink()
  let memory = frames.map { frame in
    let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: frame.count, alignment: 1)
    buffer.copyBytes(from: frame)
    return buffer
  }
  for (index, buffer) in memory.enumerated() {
    joiner.add(buffer, network: index < networks.count ? networks[index] : 0, to: &sink)
  }
  joiner.flush(to: &sink)
  for buffer in memory { buffer.deallocate() }
  return sink.written
}
