import CLinux
import Glibc

/// Writes frames to the TAP of their network.
struct TapSink: FrameSink {
  /// The kernel takes 1,024 vectors a call (UIO_MAXIOV), one of which is the virtio header.
  static let pieceLimit = 1023

  private let networks: NetworkPart.Reader
  private let state: ThreadState
  private let vectors: UnsafeMutablePointer<iovec>
  private let header: UnsafeMutableRawPointer

  /// - Parameters:
  ///   - vectors: room for `pieceLimit + 1`.
  ///   - header: room for a virtio header.
  init(
    _ networks: NetworkPart.Reader, _ state: ThreadState, vectors: UnsafeMutablePointer<iovec>,
    header: UnsafeMutableRawPointer
  ) {
    self.networks = networks
    self.state = state
    self.vectors = vectors
    self.header = header
    vectors[0] = iovec(iov_base: header, iov_len: VirtioNetHeader.size)
  }

  mutating func write(network place: Int, header: VirtioNetHeader, pieces: UnsafeBufferPointer<Piece>) {
    let network = networks.records + place
    guard pieces.count <= Self.pieceLimit else { return state.drop(.tapRefused, in: network) }
    header.write(to: self.header)
    var length = 0
    for index in 0..<pieces.count {
      let piece = pieces[index]
      vectors[index &+ 1] = iovec(iov_base: UnsafeMutableRawPointer(mutating: piece.base), iov_len: piece.count)
      length &+= piece.count
    }
    let descriptor = network.pointee.tap[state.queue]
    while writev(descriptor, vectors, Int32(truncatingIfNeeded: pieces.count &+ 1)) < 0 {
      if errno == EINTR { continue }
      // Down (EIO) or of a kind that the kernel does not take (EINVAL). The queue is watched by the sender, which sees
      // when the device is gone.
      return state.drop(.tapRefused, in: network)
    }
    let counters = network.pointee.counters.row(state.thread)
    counters.add(1, to: .framesIn)
    counters.add(length, to: .bytesIn)
    if header.gsoType != VirtioNetHeader.noSegmentation { counters.add(1, to: .framesJoined) }
  }
}
