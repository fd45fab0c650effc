/// A TCP segment whose flow may be joined, and what is known of it.
///
/// A checksum is proven before joining: a super-frame goes to the guest with the promise that its segments were right.
struct JoinableSegment {
  let layout: FrameLayout
  /// The same for the frames of one flow in one network. Another flow has the same by chance once in 2^64.
  let key: UInt64

  /// - Parameter layout: of the frame at `base`, with the start of TCP in it.
  init(_ base: UnsafeRawPointer, _ layout: FrameLayout, network: Int) {
    self.layout = layout
    let packet = base + layout.networkOffset
    var hash = UInt64(truncatingIfNeeded: network) << 32 | UInt64(base.network32(layout.transportOffset))
    let addresses = layout.networkVersion == 4 ? 12 : 8
    let end = layout.networkVersion == 4 ? 20 : 40
    var offset = addresses
    while offset < end {
      hash = (hash &* 0x9e37_79b9_7f4a_7c15) ^ packet.loadUnaligned(fromByteOffset: offset, as: UInt64.self)
      hash ^= hash >> 32
      offset &+= 8
    }
    key = hash
  }

  /// Whether it is plain data of an established connection, and nothing in it depends on where it is cut: ACK and
  /// nothing but PSH beside it, no reserved bit (of which AccECN uses one), payload, no Ethernet padding, and an
  /// identification without meaning (DF, RFC 6864, section 4).
  func isJoinable(_ base: UnsafeRawPointer, frameLength: Int) -> Bool {
    guard layout.tcpFlags & ~TCPFlags.push == TCPFlags.acknowledge,
      base.network8(layout.transportOffset + 12) & 0xf == 0, layout.endOffset == frameLength,
      layout.payloadOffset < layout.endOffset, layout.endOffset &- layout.networkOffset <= JoinedFlow.maximumLength
    else { return false }
    return layout.networkVersion == 6 || base.network16(layout.networkOffset + 6) == 0x4000
  }

  /// Whether others can follow: not behind PSH, nor if a super-frame of such segments were one that is not cut again.
  var canBegin: Bool {
    layout.tcpFlags & TCPFlags.push == 0
      && layout.endOffset &- layout.payloadOffset >= SegmentCutter.minimumSegment
  }

  /// Whether the checksums of IPv4 and TCP are right.
  func isIntact(_ base: UnsafeRawPointer) -> Bool {
    let packet = base + layout.networkOffset
    let length = layout.endOffset &- layout.transportOffset
    let pseudo = InternetChecksum.pseudoHeader(protocolNumber: FrameLayout.tcp, length: length)
    let addresses: UInt64
    if layout.networkVersion == 4 {
      guard InternetChecksum.fold(InternetChecksum.sum(packet, 20)) == .max else { return false }
      addresses = InternetChecksum.sum(packet + 12, 8, pseudo)
    } else {
      addresses = InternetChecksum.sum(packet + 8, 32, pseudo)
    }
    return InternetChecksum.fold(InternetChecksum.sum(base + layout.transportOffset, length, addresses)) == .max
  }
}
