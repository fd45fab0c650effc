import CLinux

/// Sealed packets on their way to the socket. A packet is built where it is sent from: `place` gives the room, and only
/// what is handed back by `take`, sealed, is ever sent.
///
/// Packets to one host that follow each other and have the same length, but for a shorter last one, become one message
/// that the kernel takes apart (UDP_SEGMENT).
struct SendArena: ~Copyable {
  /// A datagram of IPv4 has at most 65,507 bytes of payload.
  private static let longestMessage = 65_000
  private static let capacity = 256 << 10
  private static let messageLimit = Int(WEFT_SEND_MESSAGES)

  private let bytes: UnsafeMutableRawPointer
  private var used = 0
  let messages: UnsafeMutablePointer<weft_message>
  /// The host of each message.
  let peers: UnsafeMutablePointer<UnsafePointer<PeerRecord>?>
  private(set) var count = 0
  /// Packets in the last message; 0 if nothing can follow in it.
  private var open = 0

  init() {
    bytes = .allocate(byteCount: Self.capacity, alignment: 64)
    messages = .allocate(capacity: Self.messageLimit)
    peers = .allocate(capacity: Self.messageLimit)
    peers.initialize(repeating: nil, count: Self.messageLimit)
  }

  deinit {
    bytes.deallocate()
    messages.deallocate()
    peers.deallocate()
  }

  /// Bytes of packets.
  var length: Int { used }

  /// Room for a packet of `size` bytes; nil if there is none before `clear`.
  func place(_ size: Int) -> UnsafeMutableRawPointer? {
    size <= Self.capacity &- used && count < Self.messageLimit ? bytes + used : nil
  }

  /// Takes the packet that was built at the last `place`.
  mutating func take(_ length: Int, to peer: UnsafePointer<PeerRecord>) {
    let last = count &- 1
    if open > 0, peers[last] == peer, length <= messages[last].segment, open < WEFT_SEGMENTS,
      Int(messages[last].length) &+ length <= Self.longestMessage
    {
      messages[last].length &+= UInt32(truncatingIfNeeded: length)
      open = length < messages[last].segment ? 0 : open &+ 1
    } else {
      let size = UInt32(truncatingIfNeeded: length)
      messages[count] = weft_message(
        bytes: bytes + used, target: PeerRecord.target(of: peer), length: size, segment: size)
      peers[count] = peer
      count &+= 1
      open = 1
    }
    used &+= length
  }

  mutating func clear() {
    used = 0
    count = 0
    open = 0
  }
}
