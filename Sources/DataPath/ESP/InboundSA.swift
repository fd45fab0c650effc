/// An inbound SA of ESP (RFC 4303, section 3.4): opens packets in place. One thread at a time.
///
/// AES-256-GCM of RFC 4106 with extended sequence numbers. The caller has found it by the packet's SPI.
package final class InboundSA: @unchecked Sendable {
  /// More than a receiver's threads and sockets ever hold between two packets of one flow.
  package static let defaultWindow = 16_384

  package let spi: UInt32
  private let cipher: ESPCipher
  private let window: ReplayWindow
  private let packetCount = SingleWriterCounter()
  private let byteCount = SingleWriterCounter()
  private let replayCount = SingleWriterCounter()
  private let integrityCount = SingleWriterCounter()

  /// `material` is 36 bytes: key and salt. `window` is how many numbers below the highest may still come. Throws
  /// `unusableKey` for another length, or when the library takes no key.
  package init(
    spi: UInt32, material: [UInt8], window: Int = defaultWindow, provider: any AEADProvider = AEADChoice.best.provider
  ) throws(DataPathError) {
    guard let cipher = ESPCipher(spi: spi, material: material, provider: provider) else { throw .unusableKey }
    self.spi = spi
    self.cipher = cipher
    self.window = ReplayWindow(size: window)
  }

  /// Packets that were opened. These numbers may be read by any thread.
  package var packets: UInt64 { packetCount.total }
  /// Bytes of their payloads.
  package var bytes: UInt64 { byteCount.total }
  /// Packets that had come before, or are older than the window.
  package var replayed: UInt64 { replayCount.total }
  /// Packets whose ICV was wrong, and whose number is not that of one older than the window.
  package var integrityFailures: UInt64 { integrityCount.total }

  /// Opens the packet of `length` bytes, SPI to ICV. If it is dropped, its bytes are of no use.
  ///
  /// The order is that of RFC 4303, section 3.4.3: a number that was seen costs no decryption, and only an authentic
  /// packet moves the window.
  package func open(_ packet: UnsafeMutableRawPointer, length: Int) -> OpenedPacket {
    guard ESPLayout.isPossible(length) else { return .dropped(.malformedESP) }
    let low = UnsafeRawPointer(packet).network32(ESPLayout.sequence)
    guard let sequence = ExtendedSequence.infer(low, top: window.top, window: window.size), window.admits(sequence)
    else {
      replayCount.add(1)
      return .dropped(.replayed)
    }
    guard cipher.open(packet, length: length, sequence: sequence) else { return unopened(sequence) }
    window.mark(sequence)
    let opened = InboundSA.trim(UnsafeRawPointer(packet), end: length - ESPLayout.icvLength)
    if case .payload(_, let count, _) = opened {
      packetCount.add(1)
      byteCount.add(UInt64(truncatingIfNeeded: count))
    }
    return opened
  }

  /// The low half of a number that is behind the window stands for one of the next subspace (RFC 4303, appendix A2), for
  /// which the ICV is wrong. Such a packet is rather an old one than one that was changed.
  private func unopened(_ sequence: UInt64) -> OpenedPacket {
    if sequence >> 32 > window.top >> 32 {
      replayCount.add(1)
      return .dropped(.replayed)
    }
    integrityCount.add(1)
    return .dropped(.integrity)
  }

  /// Takes the padding off. Its bytes have to be 1, 2, 3 and so on, as GCM asks for no others (RFC 4303, section 2.4).
  private static func trim(_ packet: UnsafeRawPointer, end: Int) -> OpenedPacket {
    let trailer = end - ESPLayout.trailerLength
    let padding = Int(packet.network8(trailer))
    let payloadEnd = trailer - padding
    guard payloadEnd >= ESPLayout.payload else { return .dropped(.malformedESP) }
    for number in 0..<padding where packet.network8(payloadEnd + number) != UInt8(truncatingIfNeeded: number + 1) {
      return .dropped(.malformedESP)
    }
    return .payload(
      offset: ESPLayout.payload, length: payloadEnd - ESPLayout.payload, nextHeader: packet.network8(trailer + 1))
  }
}
