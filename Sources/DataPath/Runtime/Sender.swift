import CLinux
import Glibc

/// The way out of one queue: frames from the TAPs are cut, sealed and sent.
///
/// It owns its memory and nothing is shared, so that neither locks nor reference counts nor checks of exclusive access
/// run for a packet.
struct Sender: ~Copyable {
  /// Frames that one TAP may give before the others have their turn, and packets that may come of them; a frame is carried
  /// to its end.
  private static let frames = 64
  static let packets = 512
  /// Packets that one frame may become which is flooded; it is the guest who says how small they are.
  private static let floodLimit = 16_384
  /// Frames in a row that a TAP could not give before it counts as gone.
  private static let failureLimit = 16
  /// Sealed packets leave when there are so many bytes of them, though more frames wait: the receiver works meanwhile.
  private static let enough = 60_000
  /// 64 KiB of IP, and what stands before it.
  private static let frameLimit = VirtioNetHeader.size + 22 + 65_536

  let state: ThreadState
  /// Messages that are sent packet by packet before the kernel is asked again to take them apart. It does not where the
  /// route has IPsec policies, and not before Linux 4.18.
  var apart = 0
  /// How often a full send buffer is still waited for in this pass.
  var waits = 0
  var arena = SendArena()
  /// Packets since the snapshot was entered.
  private var sealed = 0
  /// Packets of the frame in hand before it is looked whether something newer was published.
  private var untilLook = 0
  /// The rest of the frame in hand is not sent.
  private var isOvertaken = false
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
    waits = Self.waitLimit
    var snapshot = enter()
    for index in 0..<count {
      if sealed >= Self.packets {
        flush(snapshot)
        snapshot = enter()
      }
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

  /// Leaves the snapshot for the latest one.
  private mutating func enter() -> Snapshot {
    sealed = 0
    return state.publication.enter(state.reader).pointee
  }

  /// Reads what a TAP has, up to what it may send at once.
  private mutating func drain(_ network: UnsafePointer<NetworkRecord>, _ snapshot: Snapshot) {
    let descriptor = network.pointee.tap[state.queue]
    guard descriptor >= 0 else { return }
    let limit = sealed &+ Self.packets
    var failures = 0
    for _ in 0..<Self.frames {
      let count = read(descriptor, input, Self.frameLimit)
      if count > 0 {
        failures = 0
        carry(count, network, snapshot)
        if arena.length >= Self.enough { flush(snapshot) }
        if sealed >= limit { return }
        continue
      }
      let code = count < 0 ? errno : ENODEV
      if code == EAGAIN || code == EINTR { return }
      failures &+= 1
      if Self.isGone(code) || failures == Self.failureLimit {
        state.waiting.remove(descriptor)
        weft_store(network.pointee.failure, UInt64(code))
        return
      }
      // The kernel could not describe a frame by a virtio header, and has thrown it away.
      state.drop(.malformedFrame, in: network)
    }
  }

  /// Errors of a TAP that was deleted; others are of one frame.
  private static func isGone(_ code: Int32) -> Bool { code == EBADFD || code == ENODEV || code == ENXIO }

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
    let isCut = header.gsoType != VirtioNetHeader.noSegmentation
    if isCut { counters.add(1, to: .framesCut) }
    (untilLook, isOvertaken) = (Self.packets, false)
    let destination = UInt64(base.network16(0)) << 32 | UInt64(base.network32(2))
    if base.network8(0) & 1 == 0, destination != 0, let peer = network.pointee.table.find(destination) {
      send(header, frame, network, snapshot.peers + Int(peer), snapshot)
    } else if network.pointee.floodCount > 0 {
      let copies = network.pointee.floodCount
      if isCut, frame.count / max(1, Int(header.gsoSize)) &* copies > Self.floodLimit {
        state.drop(.malformedFrame, in: network)
        return
      }
      counters.add(1, to: .framesFlooded)
      for place in 0..<copies {
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
    guard !isOvertaken else { return state.drop(.overtaken, in: network, with: peer) }
    guard let base = frame.baseAddress, let vni = network.pointee.vni else { return }
    var (packets, bytes) = (0, 0)
    do throws(DropReason) {
      var cutter = try SegmentCutter(header, frame, maximumFrame: network.pointee.longest(base, frame.count))
      let kind = network.pointee.kind
      let port = kind == .vxlan ? FlowHash.port(frame) : 0
      let headers = OutboundSA.payloadOffset &+ kind.size
      while !cutter.isAtEnd {
        try look()
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
        guard length > 0 else { throw length == OutboundSA.exhausted ? .sequenceExhausted : .sealingFailed }
        arena.take(length, to: peer)
        packets &+= 1
        bytes &+= length
      }
    } catch {
      state.drop(error, in: network, with: peer)
    }
    sealed &+= packets
    network.pointee.counters.row(state.thread).add(packets, to: .packetsOut)
    let counters = peer.pointee.counters.row(state.thread)
    counters.add(packets, to: .packetsOut)
    counters.add(bytes, to: .bytesOut)
  }

  /// Between two packets: looks every so often whether something newer was published, by which a key may be gone. Only
  /// frames that become very many packets live to see it.
  private mutating func look() throws(DropReason) {
    untilLook &-= 1
    guard untilLook < 0 else { return }
    untilLook = Self.packets &- 1
    guard state.publication.isLatest(state.reader) else {
      isOvertaken = true
      throw .overtaken
    }
  }

  private mutating func place(_ size: Int, _ snapshot: Snapshot) throws(DropReason) -> UnsafeMutableRawPointer {
    if let place = arena.place(size) { return place }
    flush(snapshot)
    guard let place = arena.place(size) else { throw .tooLarge }
    return place
  }
}
