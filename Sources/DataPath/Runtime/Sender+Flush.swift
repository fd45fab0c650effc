import CLinux
import Glibc

extension Sender {
  /// How often a full send buffer is waited for, and how long each time, in milliseconds: together about as long as a
  /// network card takes for a full queue.
  private static let waits = 8
  private static let wait: Int32 = 2

  /// Sends all that is sealed. What the kernel does not take is dropped, so that nothing piles up.
  mutating func flush(_ snapshot: Snapshot) {
    guard arena.count > 0 else { return }
    let socket = snapshot.sockets[state.queue]
    var done = 0
    var waits = 0
    while done < arena.count {
      let sent = sendMessages(socket, from: done)
      if sent > 0 {
        done &+= Int(sent)
        continue
      }
      switch -sent {
      case EINTR: continue
      case EAGAIN, ENOBUFS:
        if waits < Self.waits {
          waits &+= 1
          state.counters.add(1, to: .sendWaits)
          Self.waitForRoom(socket, isFull: -sent == EAGAIN)
          continue
        }
        refuse(done, .sendFailed)
      case EIO, EINVAL, EOPNOTSUPP:
        if arena.messages[done].segment == 0 { refuse(done, .sendFailed) } else { sendApart(done, socket) }
      case EMSGSIZE:
        if arena.messages[done].segment == 0 { refuse(done, .underlayTooSmall) } else { sendApart(done, socket) }
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
    if !isSegmenting {
      var end = first
      while end < arena.count, arena.messages[end].segment == 0 { end &+= 1 }
      if end == first {
        sendApart(first, socket)
        return 1
      }
      return send(socket, arena.messages + first, end &- first)
    }
    return send(socket, arena.messages + first, arena.count &- first)
  }

  private func send(_ socket: Int32, _ messages: UnsafePointer<weft_message>, _ count: Int) -> Int32 {
    let sent = weft_send_messages(socket, messages, UInt32(truncatingIfNeeded: count))
    guard sent > 0 else { return sent }
    state.counters.add(1, to: .sendCalls)
    state.counters.add(Int(sent), to: .messagesOut)
    for place in 0..<Int(sent) {
      let message = messages[place]
      state.counters.add(Self.packets(message), to: .packetsOut)
    }
    return sent
  }

  /// Sends the packets of one message one by one. If that works, the kernel would not take them apart, and is not asked
  /// again.
  private mutating func sendApart(_ place: Int, _ socket: Int32) {
    let message = arena.messages[place]
    state.counters.add(1, to: .segmentationRefused)
    var offset: UInt32 = 0
    var waits = 0
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
        isSegmenting = false
        offset = min(message.length, offset &+ message.segment &* UInt32(sent))
      } else if sent == -EINTR {
        continue
      } else if sent == -EAGAIN || sent == -ENOBUFS, waits < Self.waits {
        waits &+= 1
        state.counters.add(1, to: .sendWaits)
        Self.waitForRoom(socket, isFull: sent == -EAGAIN)
      } else {
        let left = Int((message.length &- offset &+ message.segment &- 1) / message.segment)
        refuse(left, of: place, sent == -EMSGSIZE ? .underlayTooSmall : .sendFailed)
        return
      }
    }
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

  /// A full queue of the network card (ENOBUFS) does not show in the socket: time has to pass.
  private static func waitForRoom(_ socket: Int32, isFull: Bool) {
    var item = pollfd(fd: isFull ? socket : -1, events: Int16(POLLOUT), revents: 0)
    _ = poll(&item, 1, wait)
  }
}
