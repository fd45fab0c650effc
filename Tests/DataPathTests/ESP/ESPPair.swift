import Testing

@testable import DataPath

/// Both ends of one SA, and memory for a packet with guards around it.
final class ESPPair {
  static let spi: UInt32 = 0x1234_5678
  static let material: [UInt8] = (0..<36).map { $0 * 7 &+ 3 }
  static let capacity = 16_384

  let outbound: OutboundSA
  let inbound: InboundSA
  let memory: UnsafeMutableRawPointer

  init(
    provider: any AEADProvider = LibcryptoProvider(), used: UInt64 = 0, window: Int = 4096, threads: Int = 1
  ) throws {
    outbound = try OutboundSA(
      spi: Self.spi, material: Self.material, threads: threads, provider: provider, used: used)
    inbound = try InboundSA(spi: Self.spi, material: Self.material, window: window, provider: provider)
    memory = .allocate(byteCount: Self.capacity, alignment: 64)
    memory.initializeMemory(as: UInt8.self, repeating: 0, count: Self.capacity)
  }

  deinit { memory.deallocate() }

  /// A packet with this payload, sealed at an odd address.
  func seal(_ payload: [UInt8], nextHeader: UInt8 = 17, by other: OutboundSA? = nil) -> [UInt8] {
    let packet = memory + 1
    (packet + OutboundSA.payloadOffset).copyMemory(from: payload, byteCount: payload.count)
    let length = (other ?? outbound).seal(packet, payloadLength: payload.count, nextHeader: nextHeader, thread: 0)
    return Array(UnsafeRawBufferPointer(start: packet, count: max(0, length)))
  }

  /// Opens a copy, at an odd address.
  func open(_ packet: [UInt8]) -> Opened {
    let place = memory + 1
    place.copyMemory(from: packet, byteCount: packet.count)
    switch inbound.open(place, length: packet.count) {
    case .dropped(let reason): return .dropped(reason)
    case .payload(let offset, let length, let nextHeader):
      return .payload(Array(UnsafeRawBufferPointer(start: place + offset, count: length)), nextHeader)
    }
  }

  enum Opened: Equatable {
    case payload([UInt8], UInt8)
    case dropped(DropReason)
  }

  /// A packet that is authentic, whatever its plaintext, trailer included, is.
  static func authentic(_ text: [UInt8], sequence: UInt64) throws -> [UInt8] {
    let header = bytes(spi) + bytes(UInt32(truncatingIfNeeded: sequence)) + bytes(sequence)
    let room = Array(repeating: UInt8(0), count: AEADKey.tagLength)
    return try #require(try TestCipher().seal(header + text + room, sequence: sequence))
  }

  static func bytes<Number: FixedWidthInteger>(_ number: Number) -> [UInt8] {
    withUnsafeBytes(of: number.bigEndian) { Array($0) }
  }
}

/// The libraries of this machine.
enum Providers {
  static let all: [any AEADProvider] =
    [LibcryptoProvider()]
    + MultiBufferLibrary.Level.allCases.compactMap { level in
      guard ProcessorFlags.read().isSuperset(of: level.flags) else { return nil }
      return (try? MultiBufferLibrary())?.provider(level)
    }
}
