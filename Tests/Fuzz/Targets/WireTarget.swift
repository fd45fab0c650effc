import Wire

@testable import Agent

/// Frames of guests, and the stream of the xenstore daemon.
struct WireTarget: FuzzTarget {
  func run(_ bytes: [UInt8]) {
    guard let kind = bytes.first else { return }
    let content = Array(bytes.dropFirst())
    if kind & 1 == 0 { checkFrame(content) } else { checkStream(content, step: 1 + Int(kind >> 1)) }
  }

  private func checkFrame(_ frame: [UInt8]) {
    guard let announcement = Announcement(frame: frame) else { return }
    require(announcement.source.isStation, "a frame's sender is one station")
    require(announcement.source.octets == Array(frame[6..<12]), "a frame's sender is its source")
    require(announcement.address?.isUnicast ?? true, "an announced address is that of one station")
    require(announcement.kind != .rarp || announcement.address == nil, "RARP announces no address")
    require(Announcement(frame: frame + [0]) != nil, "a longer frame has a sender too")
  }

  /// Cut anywhere, a stream gives the same messages.
  private func checkStream(_ stream: [UInt8], step: Int) {
    let whole = messages(stream, step: max(1, stream.count))
    require(whole == messages(stream, step: step), "a stream gives the same messages however it comes")
    for message in whole {
      _ = message.strings
      var decoder = XenstoreDecoder()
      decoder.append(message.encoded)
      require(try decoder.next() == message, "a message is read as it was written")
      require(try decoder.next() == nil, "a message is written without a rest")
    }
  }

  private func messages(_ stream: [UInt8], step: Int) -> [XenstoreMessage] {
    var decoder = XenstoreDecoder()
    var read: [XenstoreMessage] = []
    for start in stride(from: 0, to: stream.count, by: step) {
      decoder.append(stream[start..<min(start + step, stream.count)])
      do throws(WireError) { while let message = try decoder.next() { read.append(message) } } catch { return read }
    }
    return read
  }

  func seeds() -> [[UInt8]] {
    let ethernet: [UInt8] = [255, 255, 255, 255, 255, 255, 0, 0x16, 0x3e, 0, 0, 1]
    let arp: [UInt8] =
      [0, 1, 8, 0, 6, 4, 0, 1] + ethernet[6...] + [198, 51, 100, 1] + [0, 0, 0, 0, 0, 0, 198, 51, 100, 2]
    let v6: [UInt8] = [0x20, 1, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]
    let neighbour: [UInt8] =
      [0x60, 0, 0, 0, 0, 32, 58, 255] + v6 + v6 + [136, 0, 0, 0, 0x60, 0, 0, 0] + v6 + [2, 1] + ethernet[6...]
    let stream =
      XenstoreMessage(.watchEvent, request: 0, strings: ["/local/domain/0", "token"]).encoded
      + XenstoreMessage(.error, request: 7, strings: ["ENOENT"]).encoded
    return [
      [0] + ethernet + [8, 6] + arp, [0] + ethernet + [0x80, 0x35] + arp, [0] + ethernet + [0x86, 0xdd] + neighbour,
      [0] + ethernet + [0x81, 0, 0, 5, 8, 6] + arp, [1] + stream, [33] + stream,
    ]
  }
}
