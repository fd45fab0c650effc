import Synchronization

/// An outbound SA of ESP (RFC 4303, section 3.3): seals packets in place, several threads at a time.
///
/// AES-256-GCM of RFC 4106 with extended sequence numbers. The IV is the sequence number, which all threads draw from
/// one counter, XOR a number that is random for each object: no nonce comes twice within one, and two objects that were
/// made of the same key by mistake hardly ever have one in common.
package final class OutboundSA: @unchecked Sendable {
  /// The most by which a packet is longer than its payload: header and IV, padding, trailer, ICV.
  package static let overhead = payloadOffset + 3 + ESPLayout.trailerLength + ESPLayout.icvLength
  /// Where the payload stands in a packet.
  package static let payloadOffset = ESPLayout.payload
  /// What `seal` returns in place of a length: none is below 1.
  package static let exhausted = 0
  package static let refused = -1
  /// The rest of the numbers is left unused.
  static let lastSequence: UInt64 = .max - 1 << 32

  package let spi: UInt32
  private let threads: Int
  private let lanes: UnsafeMutablePointer<Lane>
  private let mask: UInt64
  /// The number that was used last.
  private let sequence: Atomic<UInt64>

  /// `material` is 36 bytes: key and salt. Throws `unusableKey` for another length, or when the library takes no key.
  package convenience init(
    spi: UInt32, material: [UInt8], threads: Int, provider: any AEADProvider = AEADChoice.best.provider
  ) throws(DataPathError) {
    try self.init(spi: spi, material: material, threads: threads, provider: provider, used: 0)
  }

  /// Goes on behind `used`. `mask` is what IVs differ by from their numbers.
  init(
    spi: UInt32, material: [UInt8], threads: Int, provider: any AEADProvider, used: UInt64,
    mask: UInt64 = .random(in: .min ... .max)
  ) throws(DataPathError) {
    let lanes = UnsafeMutablePointer<Lane>.allocate(capacity: threads)
    for thread in 0..<threads {
      guard let cipher = ESPCipher(spi: spi, material: material, provider: provider) else {
        lanes.deinitialize(count: thread)
        lanes.deallocate()
        throw .unusableKey
      }
      (lanes + thread).initialize(to: Lane(cipher: cipher))
    }
    self.spi = spi
    self.threads = threads
    self.lanes = lanes
    self.mask = mask
    sequence = Atomic(used)
  }

  deinit {
    lanes.deinitialize(count: threads)
    lanes.deallocate()
  }

  /// Packets that were sealed.
  package var packets: UInt64 { (0..<threads).reduce(0) { $0 &+ lanes[$1].packets.total } }
  /// Bytes of their payloads.
  package var bytes: UInt64 { (0..<threads).reduce(0) { $0 &+ lanes[$1].bytes.total } }

  /// Makes a packet around the payload that stands at `packet + payloadOffset`; there is room for `overhead` bytes more
  /// than the payload has. `thread` is the caller's own number, from 0.
  ///
  /// The length of the packet, or none: `exhausted` if the sequence numbers are used up, `refused` by the library. Nothing
  /// of the memory may be sent then.
  package func seal(
    _ packet: UnsafeMutableRawPointer, payloadLength: Int, nextHeader: UInt8, thread: Int
  ) -> Int {
    precondition(thread >= 0 && thread < threads, "an SA has a key for each of its threads")
    guard let sequence = nextSequence() else { return Self.exhausted }
    packet.store32(spi, at: ESPLayout.spi)
    packet.store32(UInt32(truncatingIfNeeded: sequence), at: ESPLayout.sequence)
    packet.storeBytes(of: (sequence ^ mask).bigEndian, toByteOffset: ESPLayout.iv, as: UInt64.self)

    var end = ESPLayout.payload + payloadLength
    let padding = ESPLayout.padding(payloadLength)
    for number in 0..<padding { packet.store8(UInt8(truncatingIfNeeded: number + 1), at: end + number) }
    end += padding
    packet.store8(UInt8(truncatingIfNeeded: padding), at: end)
    packet.store8(nextHeader, at: end + 1)

    let length = end + ESPLayout.trailerLength + ESPLayout.icvLength
    guard lanes[thread].cipher.seal(packet, length: length, sequence: sequence) else { return Self.refused }
    lanes[thread].packets.add(1)
    lanes[thread].bytes.add(UInt64(truncatingIfNeeded: payloadLength))
    return length
  }

  /// nil for ever once the last number was used (RFC 4303, section 3.3.3): behind it are as many as threads could ever
  /// draw at the same moment, so the counter does not go round.
  private func nextSequence() -> UInt64? {
    let next = sequence.wrappingAdd(1, ordering: .relaxed).newValue
    if next <= Self.lastSequence { return next }
    sequence.store(Self.lastSequence, ordering: .relaxed)
    return nil
  }
}

/// What one thread has of an SA, on cache lines of its own.
private struct Lane: ~Copyable {
  let cipher: ESPCipher
  let packets = SingleWriterCounter()
  let bytes = SingleWriterCounter()
  private let padding = InlineArray<16, UInt64>(repeating: 0)

  init(cipher: consuming ESPCipher) { self.cipher = cipher }
}
