import CLinux
import Glibc

/// The way out of one queue: frames from the TAPs are cut, sealed and sent.
///
/// It owns its memory and nothing is shared, so that neither locks nor reference counts nor checks of exclusive access
/// run for a packet.
struct Sender: ~Copyable {
  /// Frames that one TAP may give before the others have their turn.
  private static let budget = 64
  /// Sealed packets leave when there are so many bytes of them, though more frames wait: the receiver works meanwhile.
  private static let enough = 60_000
  /// 64 KiB of IP, and what stands before it.
  private static let frameLimit = VirtioNetHeader.size + 22 + 65_536

  let state: ThreadState
  /// Whether the kernel takes messages apart. Not where the route has IPsec policies, and not before Linux 4.18.
  var isSegmenting = true
  var arena = SendArena()
  private let events: UnsafeMutablePointer<epoll_event>
  private let input: UnsafeMutableRawPointer

  init(_ state: ThreadState) {
    self.state = state
    events = .allocate(capacity: Waiting.limit)
    input = .allocate(byteCount: Self.frameLimit, alignment: 64)
  }

  deinit {
    events.deallocate()
    input.deallocate()
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
    for index in 0..<count {
      let place = events[index].data.u64
      if place == Waiting.end {
        hasEnded = true
      } else if place < snapshot.networks.count {
        drain(snapshot.networks.records + Int(place), snapshot)
      }
    }
    flush(snapshot)
    state.publication.leave(state.reader)
    return !hasEnded
  }

  /// Reads what a TAP has, up to the budget.
  private mutating func drain(_ network: UnsafePointer<NetworkRecord>, _ snapshot: Snapshot) {
    let descriptor = network.pointee.tap[state.queue]
    guard descriptor >= 0 else { return }
    for _ in 0..<Self.budget {
      let count = read(descriptor, input, Self.frameLimit)
      if count > 0 {
        carry(count, network, snapshot)
        if arena.length >= Self.enough { flush(snapshot) }
      } else if count < 0, errno == EAGAIN || errno == EINTR {
        return
      } else {
        state.waiting.remove(descriptor)
        weft_store(network.pointee.failure, UInt64(count < 0 ? errno : ENODEV))
        return
      }
    }
  }

  /// Sends the frame that stands behind its virtio header in `input` to whom it is for.
  private mutating func carry(_ count: Int, _ network: UnsafePointer<NetworkRecord>, _ snapshot: Snapshot) {
    let bytes = UnsafeRawPointer(input)
    let frame = UnsafeRawBufferPointer(
      start: bytes + VirtioNetHeader.size, count: max(0, count &- VirtioNetHeader.size))
    guard let base = frame.baseAddress, frame.count >= 14, base.network8(6) & 1 == 0 else {
      state.drop(.malformedFrame, in: network)
      return
    }
    let counters = network.pointee.counters.row(state.thread)
    counters.add(1, to: .framesOut)
    counters.add(frame.count, to: .bytesOut)
    let header = VirtioNetHeader(reading: bytes)
    if header.gsoType != VirtioNetHeader.noSegmentation { counters.add(1, to: .framesCut) }
    let source = UInt64(base.network16(0)) << 32 | UInt64(base.network32(2))
    if base.network8(0) & 1 == 0, source != 0, let peer = network.pointee.table.find(source) {
      send(header, frame, network, snapshot.peers + Int(peer), snapshot)
    } else if network.pointee.floodCount > 0 {
      counters.add(1, to: .framesFlooded)
      for place in 0..<network.pointee.floodCount {
        send(header, frame, network, snapshot.peers + Int(network.pointee.flood[place]), snapshot)
      }
    } else {
      state.drop(.noDestination, in: network)
    }
  }

  /// Cuts a frame and seals what comes of it for one host.
  private mutating func send(
    _ header: VirtioNetHeader, _ frame: UnsafeRawBufferPointer, _ network: UnsafePointer<NetworkRecord>,
    _ peer: UnsafePointer<PeerRecord>, _ snapshot: Snapshot
  ) {
    guard peer.pointee.isReachable else { return state.drop(.notForThisPath, in: network, with: peer) }
    guard let outbound = peer.pointee.outbound else { return state.drop(.noKeys, in: network, with: peer) }
    guard let base = frame.baseAddress, let vni = network.pointee.vni else { return }
    do throws(DropReason) {
      var cutter = try SegmentCutter(header, frame, maximumFrame: network.pointee.longest(base, frame.count))
      let kind = network.pointee.kind
      let port = kind == .vxlan ? FlowHash.port(frame) : 0
      let headers = OutboundSA.payloadOffset &+ kind.size
      var (packets, bytes) = (0, 0)
      while !cutter.isAtEnd {
        let packet = try place(headers &+ cutter.nextSize &+ OutboundSA.overhead, snapshot)
        let size = cutter.next(into: packet + headers)
        let inner = packet + OutboundSA.payloadOffset
        switch kind {
        case .vxlan:
          InnerHeader.writeVXLAN(to: inner, vni: vni, sourcePort: port, frameLength: size)
          if peer.pointee.addressSum != 0 {
            InnerHeader.completeVXLAN(
              at: inner, addresses: peer.pointee.addressSum, frameSum: cutter.frameSum, frameLength: size)
          }
        case .gre: InnerHeader.writeGRE(to: inner, vni: vni)
        }
        let length = outbound._withUnsafeGuaranteedRef {
          $0.seal(packet, payloadLength: kind.size &+ size, nextHeader: kind.nextHeader, thread: state.queue)
        }
        guard length > 0 else { throw .sequenceExhausted }
        arena.take(length, to: peer)
        packets &+= 1
        bytes &+= length
      }
      network.pointee.counters.row(state.thread).add(packets, to: .packetsOut)
      let counters = peer.pointee.counters.row(state.thread)
      counters.add(packets, to: .packetsOut)
      counters.add(bytes, to: .bytesOut)
    } catch {
      state.drop(error, in: network, with: peer)
    }
  }

  private mutating func place(_ size: Int, _ snapshot: Snapshot) throws(DropReason) -> UnsafeMutableRawPointer {
    if let place = arena.place(size) { return place }
    flush(snapshot)
    guard let place = arena.place(size) else { throw .tooLarge }
    return place
  }
}
