/// Joins the TCP segments of a flow that came together into one super-frame, so that the way through bridge and guest
/// is gone once for all of them.
///
/// The order of a flow's frames never changes. Frames of different flows may overtake each other up to `flush`.
package struct SegmentJoiner: ~Copyable {
  /// How many flows are joined at the same time.
  package static let flows = 8
  /// Of one super-frame. Linux takes up to 1,024 in one call (`IOV_MAX`), and one is the virtio header.
  package static let maximumPieces = 128

  private let slots: UnsafeMutablePointer<JoinedFlow>
  /// `maximumPieces` for each slot.
  private let pieces: UnsafeMutablePointer<Piece>
  /// A bit for each slot that holds a flow.
  private var held: UInt = 0
  /// The slot that gives way next when all hold a flow.
  private var next = 0

  package init() {
    slots = .allocate(capacity: Self.flows)
    pieces = .allocate(capacity: Self.flows * Self.maximumPieces)
  }

  deinit {
    slots.deallocate()
    pieces.deallocate()
  }

  /// Takes a frame, which stands, and is not changed by others, until `flush`.
  ///
  /// - Parameters:
  ///   - frame: from the Ethernet header on; its headers are changed when it is joined.
  ///   - network: goes to the sink; frames of different networks are never joined.
  package mutating func add<Sink: FrameSink>(
    _ frame: UnsafeMutableRawBufferPointer, network: Int, to sink: inout Sink
  ) {
    guard let base = frame.baseAddress else { return }
    guard let layout = try? FrameLayout(UnsafeRawBufferPointer(frame)) else {
      flush(network, to: &sink)
      return write(frame, network: network, to: &sink)
    }
    guard layout.networkVersion != 0, layout.protocolNumber == FrameLayout.tcp else {
      return write(frame, network: network, to: &sink)
    }
    guard !layout.isFragment, !layout.hasOptions else {
      // It may be of any flow.
      flush(network, to: &sink)
      return write(frame, network: network, to: &sink)
    }
    let segment = JoinableSegment(base, layout, network: network)
    let slot = slot(of: segment, network: network)
    let isJoinable = segment.isJoinable(base, frameLength: frame.count)
    if let slot {
      if isJoinable, segment.isIntact(base), slots[slot].append(base, layout) {
        pieces[slot &* Self.maximumPieces &+ slots[slot].count &- 1] = Piece(
          base: base + layout.payloadOffset, count: layout.endOffset &- layout.payloadOffset)
        if slots[slot].isComplete || slots[slot].count == Self.maximumPieces { release(slot, to: &sink) }
        return
      }
      release(slot, to: &sink)
    }
    // With PSH nothing follows; so nothing is to be proven either.
    guard isJoinable, segment.canBegin, segment.isIntact(base) else {
      return write(frame, network: network, to: &sink)
    }
    hold(JoinedFlow(base, layout, key: segment.key, network: network), frame, to: &sink)
  }

  /// Hands over all that is held back.
  package mutating func flush<Sink: FrameSink>(to sink: inout Sink) {
    while held != 0 { release(held.trailingZeroBitCount, to: &sink) }
  }

  private mutating func flush<Sink: FrameSink>(_ network: Int, to sink: inout Sink) {
    var rest = held
    while rest != 0 {
      let slot = rest.trailingZeroBitCount
      rest &= rest &- 1
      if slots[slot].network == network { release(slot, to: &sink) }
    }
  }

  private func slot(of segment: JoinableSegment, network: Int) -> Int? {
    var rest = held
    while rest != 0 {
      let slot = rest.trailingZeroBitCount
      rest &= rest &- 1
      if slots[slot].key == segment.key, slots[slot].network == network { return slot }
    }
    return nil
  }

  private mutating func hold<Sink: FrameSink>(
    _ flow: JoinedFlow, _ frame: UnsafeMutableRawBufferPointer, to sink: inout Sink
  ) {
    var slot = (~held).trailingZeroBitCount
    if slot >= Self.flows {
      slot = next
      next = (next &+ 1) % Self.flows
      release(slot, to: &sink)
    }
    guard let base = frame.baseAddress else { return }
    held |= 1 << UInt(slot)
    slots[slot] = flow
    pieces[slot &* Self.maximumPieces] = Piece(base: base, count: frame.count)
  }

  private mutating func release<Sink: FrameSink>(_ slot: Int, to sink: inout Sink) {
    held &= ~(1 << UInt(slot))
    let count = slots[slot].count
    sink.write(
      network: slots[slot].network, header: count == 1 ? VirtioNetHeader() : slots[slot].seal(),
      pieces: UnsafeBufferPointer(start: pieces + slot &* Self.maximumPieces, count: count))
  }

  private func write<Sink: FrameSink>(
    _ frame: UnsafeMutableRawBufferPointer, network: Int, to sink: inout Sink
  ) {
    guard let base = frame.baseAddress else { return }
    var piece = Piece(base: base, count: frame.count)
    withUnsafePointer(to: &piece) {
      sink.write(network: network, header: VirtioNetHeader(), pieces: UnsafeBufferPointer(start: $0, count: 1))
    }
  }
}
