/// Tells flows apart for the underlay: routers and queues spread packets by the UDP source port (RFC 7348, section 5).
package enum FlowHash {
  /// The UDP source port for the flow that a frame belongs to: 49,152 to 65,535, always the same for the same flow.
  ///
  /// Made of the Ethernet addresses, the IP addresses, the protocol and the ports; of what the frame has. Of a fragment
  /// only of the addresses, so that all fragments of a packet give the same: what is behind them is told by the first alone.
  package static func port(_ frame: UnsafeRawBufferPointer) -> UInt16 {
    guard let base = frame.baseAddress, frame.count >= FrameLayout.ethernetSize else { return 0xc000 }
    var hash = mix(base.loadUnaligned(as: UInt64.self), UInt64(base.network32(8)))
    if let layout = try? FrameLayout(frame), layout.networkVersion != 0 {
      let packet = base + layout.networkOffset
      let addresses = layout.networkVersion == 4 ? 12..<20 : 8..<40
      for offset in stride(from: addresses.lowerBound, to: addresses.upperBound, by: 8) {
        hash = mix(hash, packet.loadUnaligned(fromByteOffset: offset, as: UInt64.self))
      }
      if !layout.isFragment {
        hash = mix(hash, UInt64(layout.protocolNumber))
        let hasPorts = layout.payloadOffset > layout.transportOffset
        if hasPorts { hash = mix(hash, UInt64(base.network32(layout.transportOffset))) }
      }
    }
    return 0xc000 | UInt16(truncatingIfNeeded: hash >> 50)
  }

  /// Multiplies by the golden ratio of 2^64, so that every bit reaches the high ones (Knuth, TAOCP 3, section 6.4).
  @inline(__always)
  private static func mix(_ hash: UInt64, _ word: UInt64) -> UInt64 {
    let product = (hash ^ word) &* 0x9e37_79b9_7f4a_7c15
    return product ^ product >> 29
  }
}
