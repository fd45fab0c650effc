import Testing
import Wire

@testable import Agent

@Suite struct XenstoreCodecTests {
  @Test func aRequestHasTheBytesThatTheDaemonExpects() {
    let message = XenstoreMessage(.read, request: 7, strings: ["/a"])
    #expect(message.encoded == [2, 0, 0, 0, 7, 0, 0, 0, 0, 0, 0, 0, 3, 0, 0, 0, 0x2f, 0x61, 0])
  }

  @Test func aStreamCutAnywhereGivesTheSameMessages() throws {
    let messages = [
      XenstoreMessage(.watchEvent, request: 0, strings: ["/local/domain/0", "token"]),
      XenstoreMessage(.read, request: 1, payload: []),
      XenstoreMessage(kind: 99, request: .max, payload: [UInt8](repeating: 1, count: 4096)),
      XenstoreMessage(.error, request: 2, strings: ["ENOENT"]),
    ]
    let stream = messages.flatMap(\.encoded)
    for size in [1, 2, 15, 16, 17, 1000, stream.count] {
      var decoder = XenstoreDecoder()
      var read: [XenstoreMessage] = []
      for start in stride(from: 0, to: stream.count, by: size) {
        decoder.append(stream[start..<min(start + size, stream.count)])
        while let message = try decoder.next() { read.append(message) }
      }
      #expect(read == messages)
    }
    #expect(messages[0].strings == ["/local/domain/0", "token"])
  }

  @Test func aLengthBeyondTheProtocolsBoundIsRefused() {
    var decoder = XenstoreDecoder()
    decoder.append([2, 0, 0, 0, 7, 0, 0, 0, 0, 0, 0, 0, 1, 16, 0, 0])
    #expect(throws: WireError.invalid("length of a xenstore message")) { try decoder.next() }
  }

  @Test func randomBytesNeverTrap() {
    var random = SeededGenerator(seed: 3)
    for _ in 0..<5000 {
      var decoder = XenstoreDecoder()
      for _ in 0..<4 {
        let count = Int.random(in: 0..<40, using: &random)
        decoder.append((0..<count).map { _ in UInt8.random(in: 0...255, using: &random) & (count % 2 == 0 ? 3 : 255) })
        while let message = try? decoder.next() { _ = message.strings }
      }
    }
  }
}
