import CLinux
import Glibc

/// The way in of one queue: packets from the socket are opened, joined and written to the TAPs.
///
/// As with `Sender`, nothing is shared.
struct Receiver: ~Copyable {
  private static let messageLimit = 8
  /// No datagram is longer, joined ones included.
  private static let slot = 1 << 16
  /// Packets after which threads that publish get to see this one between two snapshots.
  static let packets = 1024

  private let state: ThreadState
  private let events: UnsafeMutablePointer<epoll_event>
  private let buffer: UnsafeMutableRawPointer
  private let messages: UnsafeMutablePointer<weft_received>
  private let vectors: UnsafeMutablePointer<iovec>
  private let header: UnsafeMutableRawPointer
  private var joiner = SegmentJoiner()

  init(_ state: ThreadState) {
    self.state = state
    events = .allocate(capacity: Waiting.limit)
    buffer = .allocate(byteCount: Self.slot * Self.messageLimit, alignment: 4096)
    messages = .allocate(capacity: Self.messageLimit)
    vectors = .allocate(capacity: TapSink.pieceLimit + 1)
    header = .allocate(byteCount: VirtioNetHeader.size, alignment: 16)
  }

  deinit {
    events.deallocate()
    buffer.deallocate()
    messages.deallocate()
    vectors.deallocate()
    header.deallocate()
  }

  /// Returns at the end.
  mutating func run() {
    while pass() {}
  }

  /// Waits for something to do, and does it.
  /// - Returns: false at the end.
  mutating func pass() -> Bool {
    var hasEnded = false
    let count = state.waiting.wait(events)
    let snapshot = state.publication.enter(state.reader).pointee
    for index in 0..<count where events[index].data.u64 == Waiting.end { hasEnded = true }
    receive(snapshot)
    state.publication.leave(state.reader)
    return !hasEnded
  }

  private mutating func receive(_ snapshot: Snapshot) {
    let socket = snapshot.sockets[state.queue]
    guard socket >= 0 else { return }
    var sink = TapSink(snapshot.networks, state, vectors: vectors, header: header)
    var taken = 0
    while taken < Self.packets {
      let count = Int(
        weft_receive_messages(socket, buffer, UInt32(Self.slot), messages, UInt32(Self.messageLimit)))
      guard count > 0 else { return }
      state.counters.add(count, to: .messagesIn)
      for place in 0..<count { taken &+= takeApart(place, snapshot, &sink) }
      joiner.flush(to: &sink)
      if count < Self.messageLimit { return }
    }
  }

  /// - Returns: how many packets it was.
  private mutating func takeApart(_ place: Int, _ snapshot: Snapshot, _ sink: inout TapSink) -> Int {
    let message = messages[place]
    guard message.unusable == 0 else {
      state.drop(.notESP)
      return 1
    }
    let base = buffer + place &* Self.slot
    let length = Int(message.length)
    let segment = max(1, Int(message.segment))
    var (offset, packets) = (0, 0)
    repeat {
      let size = min(segment, length &- offset)
      packets &+= 1
      takeIn(base + offset, size, message, snapshot, &sink)
      offset &+= size
    } while offset < length
    state.counters.add(packets, to: .packetsIn)
    return packets
  }

  /// One packet of ESP.
  private mutating func takeIn(
    _ packet: UnsafeMutableRawPointer, _ length: Int, _ message: weft_received, _ snapshot: Snapshot,
    _ sink: inout TapSink
  ) {
    // Keepalives of a byte and what begins with the non-ESP marker (RFC 3948, sections 2.2 and 2.3) are for no SA.
    guard length >= 8 else { return state.drop(.notESP) }
    let spi = UnsafeRawPointer(packet).network32(0)
    guard spi != 0 else { return state.drop(.notESP) }
    guard let record = snapshot.inbound.find(spi), let association = record.pointee.association else {
      return state.drop(.unknownSPI)
    }
    let peer = snapshot.peers + Int(record.pointee.peer)
    guard message.source_low == record.pointee.sourceLow, message.source_high == record.pointee.sourceHigh else {
      return state.drop(.wrongPeer, with: peer)
    }
    guard record.pointee.queue == state.queue else { return state.drop(.wrongQueue, with: peer) }
    switch association._withUnsafeGuaranteedRef({ $0.open(packet, length: length) }) {
    case .dropped(let reason): state.drop(reason, with: peer)
    case .payload(let offset, let count, let nextHeader):
      let counters = peer.pointee.counters.row(state.thread)
      counters.add(1, to: .packetsIn)
      counters.add(length, to: .bytesIn)
      deliver(UnsafeMutableRawBufferPointer(start: packet + offset, count: count), nextHeader, peer, snapshot, &sink)
    }
  }

  /// The frame in an authentic packet.
  private mutating func deliver(
    _ payload: UnsafeMutableRawBufferPointer, _ nextHeader: UInt8, _ peer: UnsafePointer<PeerRecord>,
    _ snapshot: Snapshot, _ sink: inout TapSink
  ) {
    do throws(DropReason) {
      let inner = try InnerHeader.read(nextHeader: nextHeader, UnsafeRawBufferPointer(payload))
      guard let place = snapshot.networks.find(inner.vni.value) else { throw .wrongNetwork }
      let network = snapshot.networks.records + place
      guard network.pointee.kind == inner.kind else { throw .wrongNetwork }
      guard let base = payload.baseAddress.map({ $0 + inner.frameOffset }), inner.frameLength >= 14,
        UnsafeRawPointer(base).network8(6) & 1 == 0
      else { throw .malformedTunnel }
      guard inner.frameLength <= network.pointee.longest(base, inner.frameLength) else {
        return state.drop(.inboundTooLarge, in: network, with: peer)
      }
      network.pointee.counters.row(state.thread).add(1, to: .packetsIn)
      let frame = UnsafeMutableRawBufferPointer(start: base, count: inner.frameLength)
      joiner.add(frame, network: place, to: &sink)
    } catch {
      state.drop(error, with: peer)
    }
  }
}
