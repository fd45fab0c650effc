import Wire

@testable import DataPath

/// Both ends of an SA, and all numbers that the receiving one has taken.
final class ESPRun {
  private let spi: UInt32
  private let inbound: InboundSA
  private let window: UInt64
  private let cipher: ESPCipher
  private let material: [UInt8]
  private let provider: any AEADProvider
  private var taken: Set<UInt64> = [0]
  private var top: UInt64 = 0
  private var packets: [[UInt8]] = []

  private struct NoKey: Error {}

  init(spi: UInt32, material: [UInt8], window: Int, _ provider: any AEADProvider) throws {
    guard let cipher = ESPCipher(spi: spi, material: material, provider: provider) else { throw NoKey() }
    self.spi = spi
    self.cipher = cipher
    self.window = UInt64(window)
    self.material = material
    self.provider = provider
    inbound = try InboundSA(spi: spi, material: material, window: window, provider: provider)
  }

  /// A number near the highest one, or far above it.
  func number(_ choice: UInt8, _ byte: UInt8) -> UInt64 {
    switch choice >> 6 {
    case 0: top &+ 1
    case 1: top &+ UInt64(byte)
    case 2: top &+ UInt64(byte) << 24
    default: top >= UInt64(byte) ? top - UInt64(byte) : 0
    }
  }

  /// What anybody can send.
  func takeForeign(_ packet: [UInt8]) {
    require(isDropped(packet), "what nobody sealed is not opened")
  }

  /// A packet of a sender that is at this number.
  func takeHonest(_ payload: [UInt8], nextHeader: UInt8, number: UInt64) {
    guard number > 0 else { return }
    let outbound = required("an SA") {
      try OutboundSA(spi: spi, material: material, threads: 1, provider: provider, used: number - 1)
    }
    var packet = [UInt8](repeating: 0, count: payload.count + OutboundSA.overhead)
    packet.replaceSubrange(OutboundSA.payloadOffset..<OutboundSA.payloadOffset + payload.count, with: payload)
    let length = packet.withUnsafeMutableBytes { memory in
      memory.baseAddress.map {
        outbound.seal($0, payloadLength: payload.count, nextHeader: nextHeader, thread: 0)
      } ?? 0
    }
    require(length > 0, "a packet is sealed")
    packet.removeLast(packet.count - length)
    let expected = isExpected(number)
    let opened = open(packet)
    if expected {
      require(opened?.payload == payload && opened?.nextHeader == nextHeader, "an honest packet is opened as it was")
      keep(packet, number)
    } else {
      require(opened == nil, "a number is taken once, and only where the window can tell")
    }
  }

  /// A packet whose sender has the key and writes what it likes behind the IV.
  func takeAuthentic(_ text: [UInt8], number: UInt64) {
    guard number > 0, text.count >= 4 else { return }
    let text = text.prefix(text.count & ~3)
    var packet = bytes(spi) + bytes(UInt32(truncatingIfNeeded: number)) + bytes(number) + text
    packet += [UInt8](repeating: 0, count: AEADKey.tagLength)
    let length = packet.count
    let sealed = packet.withUnsafeMutableBytes { memory in
      memory.baseAddress.map { cipher.seal($0, length: length, sequence: number) } ?? false
    }
    require(sealed, "a text is sealed")
    let expected = isExpected(number)
    if let opened = open(packet) {
      require(expected, "a number is taken once, and only where the window can tell")
      let padding = Int(text[text.endIndex - 2])
      require(opened.payload == Array(text.dropLast(2 + padding)), "the payload is what is before the padding")
      require(
        Array(text.suffix(2 + padding).prefix(padding)) == (0..<padding).map { UInt8($0 + 1) }, "padding counts up")
    }
    if expected { keep(packet, number) }
  }

  func takeAgain(_ place: Int) {
    guard let packet = earlier(place) else { return }
    require(isDropped(packet), "a packet that comes again is dropped")
  }

  /// The SPI is left as it is, as by it the SA was found.
  func takeChanged(_ place: Int, bit: Int) {
    guard var packet = earlier(place) else { return }
    let bit = 32 + bit % ((packet.count - 4) * 8)
    packet[bit / 8] ^= 1 << (bit % 8)
    require(isDropped(packet), "a changed packet is dropped")
  }

  func takeOfLength(_ place: Int, _ length: Int) {
    guard let packet = earlier(place) else { return }
    require(isDropped(Array(packet.prefix(length))), "a packet that is cut off is dropped")
    require(isDropped(packet + [UInt8](repeating: 0, count: length & 31)), "a packet that was made longer is dropped")
  }

  private func earlier(_ place: Int) -> [UInt8]? { packets.isEmpty ? nil : packets[place % packets.count] }

  /// Within 2^32 of the window's lower end, and not yet taken.
  private func isExpected(_ number: UInt64) -> Bool {
    if number > top { return number - top <= 1 << 32 - window }
    return top - number < window && !taken.contains(number)
  }

  private func keep(_ packet: [UInt8], _ number: UInt64) {
    taken.insert(number)
    top = max(top, number)
    packets.append(packet)
  }

  private func isDropped(_ packet: [UInt8]) -> Bool { open(packet) == nil }

  /// Opens a copy that has memory of known content around it.
  private func open(_ packet: [UInt8]) -> (payload: [UInt8], nextHeader: UInt8)? {
    let (margin, mark): (Int, UInt8) = (65, 0xa5)
    let around = [UInt8](repeating: mark, count: margin)
    var memory = around + packet + around
    let opened = memory.withUnsafeMutableBytes { bytes in
      bytes.baseAddress.map { inbound.open($0 + margin, length: packet.count) }
    }
    require(memory.prefix(margin) == around[...] && memory.suffix(margin) == around[...], "nothing beside is written")
    guard case .payload(let offset, let length, let nextHeader)? = opened else { return nil }
    require(offset >= 0 && length >= 0 && offset + length <= packet.count, "a payload is inside its packet")
    return (Array(memory[(margin + offset)..<(margin + offset + length)]), nextHeader)
  }

  private func bytes<Number: FixedWidthInteger>(_ number: Number) -> [UInt8] {
    withUnsafeBytes(of: number.bigEndian) { Array($0) }
  }
}
