import CLinux
import Glibc

extension Sender {
  /// How often a full send buffer is waited for in a pass, and how long each time, in milliseconds.
  ///
  /// What waits is sealed already, and other threads go on with numbers of the same SA. It does not become too old by that
  /// for a host that opens in its kernel, which takes what is up to 4,096 numbers late: in one wait the others would have
  /// to send two million packets a second, and the same packets wait again only where the underlay, which is theirs too,
  /// took less than about 60 kB from this socket in the wait before.
  static let waitLimit = 8
  private static let wait: Int32 = 2
  /// Messages sent packet by packet once the kernel has refused to take one apart.
  private static let apartCount = 1024

  /// Sends all that is sealed. What the kernel does not take is dropped, so that nothing piles up.
  mutating func flush(_ snapshot: Snapshot) {
    guard arena.count > 0 else { return }
    let socket = snapshot.sockets[state.queue]
    var done = 0
    while done < arena.count {
      let sent = sendMessages(socket, from: done)
      if sent > 0 {
        done &+= Int(sent)
        continue
      }
      switch -sent {
      case EINTR: continue
      case EAGAIN where waitForRoom(socket): continue
      case EIO, EINVAL, EOPNOTSUPP, EMSGSIZE:
        if arena.messages[done].segment == 0 {
          refuse(done, -sent == EMSGSIZE ? .underlayTooSmall : .sendFailed)
        } else if sendApart(done, socket) {
          apart = Self.apartCount
        }
      default: refuse(done, .sendFailed)
      }
      done &+= 1
    }
    arena.clear()
  }

  /// Sends messages until one is refused; an error is that of the first.
  private mutating func sendMessages(_ socket: Int32, from first: Int) -> Int32 {
    for place in first..<arena.count {
      // One packet needs nobody to take it apart.
      if arena.messages[place].segment == arena.messages[place].length { arena.messages[place].segment = 0 }
    }
    if apart > 0 {
      var end = first
      while end < arena.count, arena.messages[end].segment == 0 { end &+= 1 }
      if end == first {
        apart &-= 1
        _ = sendApart(first, socket)
        return 1
      }
      return send(socket, arena.messages + first, end &- first)
    }
    return send(socket, arena.messages + first, arena.count &- first)
  }

  private func send(_ socket: Int32, _ messages: UnsafePointer<weft_message>, _ count: Int) -> Int32 {
    let sent = weft_send_messages(socket, messages, UInt32(truncatingIfNeeded: count))
    if sent > 0 { state.counters.add(Int(sent), to: .messagesOut) }
    return sent
  }

  /// Sends the packets of one message one by one.
  /// - Returns: whether one of the full length left, so that it was the message which the kernel did not want.
  private mutating func sendApart(_ place: Int, _ socket: Int32) -> Bool {
    let message = arena.messages[place]
    state.counters.add(1, to: .segmentationRefused)
    var offset: UInt32 = 0
    var hasSent = false
    var batch = InlineArray<16, weft_message>(repeating: weft_message())
    while offset < message.length {
      var count = 0
      var next = offset
      while next < message.length, count < batch.count {
        let length = min(message.segment, message.length &- next)
        batch[count] = weft_message(
          bytes: message.bytes + Int(next), target: message.target, length: length, segment: 0)
        next &+= length
        count &+= 1
      }
      let sent = withUnsafePointer(to: &batch) {
        $0.withMemoryRebound(to: weft_message.self, capacity: count) { send(socket, $0, count) }
      }
      if sent > 0 {
        if message.length &- offset >= message.segment { hasSent = true }
        offset = min(message.length, offset &+ message.segment &* UInt32(sent))
      } else if sent == -EINTR {
        continue
      } else if sent == -EMSGSIZE {
        offset &+= refuseTooLong(place, offset)
      } else if sent == -EAGAIN, waitForRoom(socket) {
        continue
      } else {
        let left = Int((message.length &- offset &+ message.segment &- 1) / message.segment)
        refuse(left, of: place, .sendFailed)
        return hasSent
      }
    }
    return hasSent
  }

  /// Counts the packets of a message from `offset` on that are as long as the first of them, which was too long. The last
  /// one may be shorter, and fit.
  /// - Returns: their bytes.
  private func refuseTooLong(_ place: Int, _ offset: UInt32) -> UInt32 {
    let message = arena.messages[place]
    let left = message.length &- offset
    let full = left / message.segment
    refuse(max(1, Int(full)), of: place, .underlayTooSmall)
    return full == 0 ? left : full &* message.segment
  }

  private func refuse(_ place: Int, _ reason: DropReason) {
    refuse(Self.packets(arena.messages[place]), of: place, reason)
  }

  private func refuse(_ packets: Int, of place: Int, _ reason: DropReason) {
    if let peer = arena.peers[place] { state.drop(reason, with: peer, packets) }
  }

  private static func packets(_ message: weft_message) -> Int {
    message.segment == 0 ? 1 : Int((message.length &+ message.segment &- 1) / message.segment)
  }

  /// Waits while the socket's send buffer is full, as it is when the underlay is slower than the guests and its queue is
  /// long. A queue that is shorter drops what is too much, of which a sender hears nothing: without IP_RECVERR the kernel
  /// says that it has sent (`udp_send_skb`), and counts UdpSndbufErrors.
  /// - Returns: false if there was enough waiting in this pass.
  private mutating func waitForRoom(_ socket: Int32) -> Bool {
    guard waits > 0 else { return false }
    waits &-= 1
    var item = pollfd(fd: socket, events: Int16(POLLOUT), revents: 0)
    _ = poll(&item, 1, Self.wait)
    return true
  }
}
