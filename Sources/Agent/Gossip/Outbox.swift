import Wire

/// The frames that one turn of the engine has to send, by receiver, cut into packets at its end.
struct Outbox {
  private var frames: [HostID: [GossipFrame]] = [:]

  var isEmpty: Bool { frames.isEmpty }

  mutating func add(_ new: [GossipFrame], to host: HostID) {
    guard !new.isEmpty else { return }
    frames[host, default: []] += new
  }

  /// Takes everything, ordered by receiver.
  mutating func take() -> [(host: HostID, frames: [GossipFrame])] {
    defer { frames.removeAll(keepingCapacity: true) }
    return frames.sorted { $0.key < $1.key }.map { ($0.key, $0.value) }
  }

  /// Encodes frames into plaintexts that each fit one sealed packet, in their order. A frame that fits no packet is
  /// left out: whoever made it has to take the way over TCP.
  static func pack(_ frames: [GossipFrame]) -> [[UInt8]] {
    var packets: [[UInt8]] = []
    var writer = ByteWriter(capacity: GossipPacket.maximumPlaintext)
    for frame in frames {
      let size = frame.encodedSize
      guard size <= GossipPacket.maximumPlaintext else { continue }
      if writer.count + size > GossipPacket.maximumPlaintext {
        packets.append(writer.bytes)
        writer = ByteWriter(capacity: GossipPacket.maximumPlaintext)
      }
      frame.encode(into: &writer)
    }
    if writer.count > 0 { packets.append(writer.bytes) }
    return packets
  }
}
