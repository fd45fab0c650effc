/// The headers of a TCP super-frame, and the sums of all in them that is the same in each of its segments.
struct SegmentTemplate {
  let headerSize: Int
  private let base: UnsafeRawPointer
  private let networkOffset: Int
  private let transportOffset: Int
  private let isIPv4: Bool
  private let identification: UInt16
  private let sequence: UInt32
  private let flags: UInt8
  /// The sum of the IPv4 header without total length, identification and checksum; of the IPv6 header without its
  /// payload length, and of its extension headers.
  private let networkSum: UInt64
  /// The sum of the pseudo-header without its length.
  private let pseudoSum: UInt64
  /// The sum of the TCP header without sequence number, flags and checksum.
  private let transportSum: UInt64
  private let linkSum: UInt64

  /// - Parameter layout: of the frame at `base`, with TCP in it.
  init(_ header: VirtioNetHeader, _ layout: FrameLayout, base: UnsafeRawPointer) throws(DropReason) {
    self.base = base
    headerSize = layout.payloadOffset
    networkOffset = layout.networkOffset
    transportOffset = layout.transportOffset
    isIPv4 = layout.networkVersion == 4
    sequence = layout.tcpSequence
    flags = layout.tcpFlags
    let packet = base + networkOffset
    let segment = base + transportOffset
    linkSum = InternetChecksum.sum(base, networkOffset)
    if isIPv4 {
      identification = packet.network16(4)
      let rest = InternetChecksum.sum(packet + 12, transportOffset - networkOffset - 12)
      networkSum = InternetChecksum.sum(packet + 6, 4, InternetChecksum.sum(packet, 2, rest))
    } else {
      identification = 0
      let rest = InternetChecksum.sum(packet + 6, transportOffset - networkOffset - 6)
      networkSum = InternetChecksum.sum(packet, 4, rest)
    }
    pseudoSum = try Self.pseudoSum(header, layout, base: base)
    let options = InternetChecksum.sum(segment + 18, layout.payloadOffset - transportOffset - 18)
    let window = InternetChecksum.sum(segment + 14, 2, options)
    transportSum = InternetChecksum.sum(segment + 8, 4, InternetChecksum.sum(segment, 4, window))
  }

  /// Taken from where the guest's kernel left it; so it is right behind a routing header too, where the address of the
  /// final destination is somewhere else (RFC 8200, section 8.1).
  private static func pseudoSum(
    _ header: VirtioNetHeader, _ layout: FrameLayout, base: UnsafeRawPointer
  ) throws(DropReason) -> UInt64 {
    if header.flags & VirtioNetHeader.needsChecksum != 0 {
      guard Int(header.checksumStart) == layout.transportOffset, header.checksumOffset == 16 else {
        throw .malformedFrame
      }
      let partial = base.loadUnaligned(fromByteOffset: layout.transportOffset + 16, as: UInt16.self)
      let length = UInt16(truncatingIfNeeded: layout.endOffset - layout.transportOffset)
      return InternetChecksum.add(UInt64(partial), UInt64(~length.bigEndian))
    }
    guard !layout.hasOptions else { throw .malformedFrame }
    let packet = base + layout.networkOffset
    let pseudo = InternetChecksum.pseudoHeader(protocolNumber: FrameLayout.tcp, length: 0)
    return layout.networkVersion == 4
      ? InternetChecksum.sum(packet + 12, 8, pseudo) : InternetChecksum.sum(packet + 8, 32, pseudo)
  }

  /// Where one segment stands in the super-frame.
  struct Position {
    /// 0 for the first.
    var index: Int
    var isLast: Bool
    /// Of its payload within that of the super-frame, in bytes.
    var offset: Int
    var payloadLength: Int
    var payloadSum: UInt64
  }

  /// Writes the headers of one segment before its payload.
  ///
  /// - Returns: the sum of the whole frame.
  func write(_ position: Position, to target: UnsafeMutableRawPointer) -> UInt64 {
    target.copyMemory(from: base, byteCount: headerSize)
    let network = writeNetwork(position, to: target + networkOffset)
    let segment = target + transportOffset
    let length = headerSize &- transportOffset &+ position.payloadLength
    var flags = flags
    if !position.isLast { flags &= ~(TCPFlags.fin | TCPFlags.push) }
    if position.index != 0 { flags &= ~TCPFlags.congestionWindowReduced }
    let sequence = sequence &+ UInt32(truncatingIfNeeded: position.offset)
    segment.store32(sequence, at: 4)
    segment.store8(flags, at: 13)
    let pseudo = InternetChecksum.add(pseudoSum, InternetChecksum.word(UInt16(truncatingIfNeeded: length)))
    var sum = InternetChecksum.add(transportSum, position.payloadSum)
    sum = InternetChecksum.add(sum, InternetChecksum.word(sequence))
    sum = InternetChecksum.add(sum, InternetChecksum.word(UnsafeRawPointer(segment).network16(12)))
    let checksum = InternetChecksum.checksum(InternetChecksum.add(sum, pseudo))
    segment.storeBytes(of: checksum, toByteOffset: 16, as: UInt16.self)
    return InternetChecksum.add(InternetChecksum.add(linkSum, network), InternetChecksum.add(sum, UInt64(checksum)))
  }

  /// - Returns: the sum of the IP headers.
  private func writeNetwork(_ position: Position, to packet: UnsafeMutableRawPointer) -> UInt64 {
    let length = UInt16(truncatingIfNeeded: headerSize &- networkOffset &+ position.payloadLength)
    guard isIPv4 else {
      packet.store16(length &- 40, at: 4)
      return InternetChecksum.add(networkSum, InternetChecksum.word(length &- 40))
    }
    let identification = identification &+ UInt16(truncatingIfNeeded: position.index)
    packet.store16(length, at: 2)
    packet.store16(identification, at: 4)
    let variable = InternetChecksum.word(length) &+ InternetChecksum.word(identification)
    let sum = InternetChecksum.add(networkSum, variable)
    let checksum = InternetChecksum.checksum(sum)
    packet.storeBytes(of: checksum, toByteOffset: 10, as: UInt16.self)
    return InternetChecksum.add(sum, UInt64(checksum))
  }
}
