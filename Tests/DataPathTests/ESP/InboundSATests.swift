import Testing
import Wire

@testable import DataPath

@Suite struct InboundSATests {
  @Test func aPacketThatComesAgainIsDropped() throws {
    let pair = try ESPPair()
    let packet = pair.seal([1, 2, 3])
    #expect(pair.open(packet) == .payload([1, 2, 3], 17))
    #expect(pair.open(packet) == .dropped(.replayed))
    #expect(pair.inbound.replayed == 1 && pair.inbound.packets == 1)
  }

  @Test func packetsWithinTheWindowMayComeInAnyOrder() throws {
    let pair = try ESPPair(window: 64)
    let packets = (0..<65).map { pair.seal([UInt8($0)]) }
    for number in (1..<65).reversed() { #expect(pair.open(packets[number]) == .payload([UInt8(number)], 17)) }
    // Behind the window its low half stands for a number of the next subspace, for which the ICV is wrong.
    #expect(pair.open(packets[0]) == .dropped(.replayed))
    #expect(pair.inbound.replayed == 1 && pair.inbound.integrityFailures == 0)
    for number in 1..<65 { #expect(pair.open(packets[number]) == .dropped(.replayed)) }
  }

  @Test func aReceiverTakesWhatIs16383NumbersLate() throws {
    let sender = try outbound(used: 0)
    let inbound = try InboundSA(spi: ESPPair.spi, material: ESPPair.material, provider: LibcryptoProvider())
    let pair = try ESPPair()
    let packets = (0..<16_385).map { _ in pair.seal([1], by: sender) }
    func open(_ packet: [UInt8]) throws -> OpenedPacket {
      var packet = packet
      let length = packet.count
      return try packet.withUnsafeMutableBytes { inbound.open(try #require($0.baseAddress), length: length) }
    }
    _ = try open(packets[16_384])
    #expect(try open(packets[1]) == .payload(offset: 16, length: 1, nextHeader: 17))
    #expect(try open(packets[0]) == .dropped(.replayed))
  }

  @Test func everyBitOfAPacketIsProtected() throws {
    let pair = try ESPPair()
    let packet = pair.seal(Array(0..<19))
    // The first 32 bits are the SPI, by which the SA was found.
    for bit in 32..<packet.count * 8 {
      var changed = packet
      changed[bit / 8] ^= 1 << (bit % 8)
      // A changed number may be one that no sender can have had yet.
      #expect([.dropped(.integrity), .dropped(.replayed)].contains(pair.open(changed)))
    }
    #expect(pair.inbound.packets == 0)
    #expect(pair.inbound.integrityFailures >= UInt64((packet.count - 8) * 8))
    #expect(pair.open(packet) == .payload(Array(0..<19), 17))
  }

  @Test func onlyAnAuthenticPacketMovesTheWindow() throws {
    let pair = try ESPPair(window: 64)
    let first = pair.seal([1])
    for number: UInt32 in [100, 1 << 31, .max / 2] {
      var forged = pair.seal([2])
      forged.replaceSubrange(4..<8, with: ESPPair.bytes(number))
      #expect(pair.open(forged) == .dropped(.integrity))
    }
    #expect(pair.open(first) == .payload([1], 17))
    // A forged packet with the number of one that has not come does not take its place.
    var forged = pair.seal([3])
    let honest = forged
    forged[20] ^= 1
    #expect(pair.open(forged) == .dropped(.integrity))
    #expect(pair.open(honest) == .payload([3], 17))
  }

  @Test func numbersGoOnAcrossTheEndOfTheLowHalf() throws {
    for high: UInt64 in [0, 1, 5] {
      let pair = try ESPPair(window: 64)
      // A receiver follows a sender that skips less than 2^32 numbers at once: here half of that.
      for step in 0...(2 * high + 1) {
        let skipped = try outbound(used: step << 31 | 1 << 30)
        #expect(pair.open(pair.seal([0], by: skipped)) == .payload([0], 17))
      }
      let sender = try outbound(used: high << 32 | 0xffff_ff80)
      let packets = (0..<200).map { pair.seal([UInt8($0)], by: sender) }
      // Neighbours change places, so that both halves are in the window at once.
      for number in stride(from: 0, to: 200, by: 2) {
        #expect(pair.open(packets[number + 1]) == .payload([UInt8(number + 1)], 17))
        #expect(pair.open(packets[number]) == .payload([UInt8(number)], 17))
        #expect(pair.open(packets[number]) == .dropped(.replayed))
      }
      #expect(pair.inbound.packets == 202 + 2 * high)
    }
  }

  @Test func aPacketOfTheSubspaceBeforeIsOpenedWhileTheWindowReachesThere() throws {
    let pair = try ESPPair(window: 64)
    #expect(pair.open(pair.seal([0], by: try outbound(used: 1 << 30))) == .payload([0], 17))
    let sender = try outbound(used: 0xffff_fff0)
    let packets = (0..<70).map { pair.seal([UInt8($0)], by: sender) }
    #expect(pair.open(packets[69]) == .payload([69], 17))
    #expect(pair.open(packets[6]) == .payload([6], 17))
    // 64 below the top, so its low half stands for a number that is far ahead.
    #expect(pair.open(packets[5]) == .dropped(.integrity))
  }

  @Test func zeroIsNoNumber() throws {
    let pair = try ESPPair()
    #expect(pair.open(try ESPPair.authentic([1, 1, 1, 17], sequence: 0)) == .dropped(.replayed))
  }

  @Test func lengthsThatNoPacketHasAreDropped() throws {
    let pair = try ESPPair()
    let packet = pair.seal(Array(0..<40))
    for length in 0..<packet.count {
      let opened = pair.open(Array(packet[..<length]))
      #expect(opened == .dropped(length < 36 || length % 4 != 0 ? .malformedESP : .integrity))
    }
    #expect(pair.open(packet + [0]) == .dropped(.malformedESP))
    #expect(pair.open(packet + [0, 0, 0, 0]) == .dropped(.integrity))
    #expect(pair.open(packet) == .payload(Array(0..<40), 17))
  }

  /// Packets of a host that has the key and writes what it likes.
  @Test func aTrailerThatContradictsItselfIsDropped() throws {
    // The first one's padding would begin in the IV, whose last byte is 1.
    let wrong: [[UInt8]] = [
      [2, 3, 3, 17],
      [1, 2, 3, 17], [0, 0, 255, 17], [2, 2, 2, 17], [1, 1, 2, 17], [0, 1, 2, 17], [9, 9, 9, 9, 9, 9, 7, 17],
      [1, 2, 3, 4, 5, 7, 6, 17],
    ]
    let pair = try ESPPair()
    for (number, text) in wrong.enumerated() {
      let packet = try ESPPair.authentic(text, sequence: UInt64(number + 1))
      #expect(pair.open(packet) == .dropped(.malformedESP), "\(text)")
      #expect(pair.open(packet) == .dropped(.replayed))
    }
    #expect(pair.inbound.packets == 0)
  }

  @Test func longerPaddingIsTakenOff() throws {
    let pair = try ESPPair()
    let padding = Array(UInt8(1)...253)
    let text = [7, 8, 9, 10, 11] + padding + [253, 47]
    #expect(text.count % 4 == 0)
    #expect(pair.open(try ESPPair.authentic(text, sequence: 1)) == .payload([7, 8, 9, 10, 11], 47))
    #expect(pair.open(try ESPPair.authentic([1, 2, 2, 59], sequence: 2)) == .payload([], 59))
  }

  @Test func hostileBytesAreDroppedAndNothingElseIsTouched() throws {
    let pair = try ESPPair()
    var generator = SeededGenerator(seed: 3)
    for _ in 0..<5000 {
      let length = Int.random(in: 0..<200, using: &generator)
      let bytes = (0..<length).map { _ in UInt8.random(in: .min ... .max, using: &generator) }
      pair.memory.initializeMemory(as: UInt8.self, repeating: 0xa5, count: ESPPair.capacity)
      if case .payload = pair.open(bytes) { Issue.record("nobody sealed \(bytes)") }
      let beside = UnsafeRawBufferPointer(start: pair.memory + 1 + length, count: 64)
      #expect(beside.allSatisfy { $0 == 0xa5 })
      #expect(pair.memory.load(as: UInt8.self) == 0xa5)
    }
  }

  private func outbound(used: UInt64) throws -> OutboundSA {
    try OutboundSA(
      spi: ESPPair.spi, material: ESPPair.material, threads: 1, provider: LibcryptoProvider(), used: used)
  }
}
