import Wire

/// What stands between ESP and a guest's frame: UDP and VXLAN (RFC 7348, section 5), or GRE with a key (RFC 2890).
package struct InnerHeader: Equatable {
  package enum Kind: Equatable {
    case vxlan
    case gre

    /// The next header of ESP.
    package var nextHeader: UInt8 { self == .vxlan ? InnerHeader.udp : InnerHeader.gre }
    /// In bytes.
    package var size: Int { self == .vxlan ? InnerHeader.vxlanSize : InnerHeader.greSize }
  }

  package static let udp: UInt8 = 17
  package static let gre: UInt8 = 47
  /// Of a packet that carries nothing (RFC 4303, section 2.6).
  package static let dummy: UInt8 = 59
  /// The UDP port that VXLAN of the pool goes to.
  package static let vxlanPort: UInt16 = 7679
  /// UDP and VXLAN headers, in bytes.
  package static let vxlanSize = 16
  /// The GRE header with its key, in bytes.
  package static let greSize = 8

  private static let vxlanHasVNI: UInt32 = 0x0800_0000
  /// Key present, version 0; transparent Ethernet bridging.
  private static let greWords: UInt32 = 0x2000_6558
  private static let ethernetSize = 14

  package var kind: Kind
  package var vni: VNI
  package var frameOffset: Int
  package var frameLength: Int

  // MARK: Writing

  /// Writes UDP and VXLAN headers before a frame.
  ///
  /// The UDP checksum is left out (RFC 7348, section 5), as IPv4 allows; over IPv6 `completeVXLAN` follows.
  /// - Parameters:
  ///   - target: room for `vxlanSize` bytes.
  ///   - sourcePort: differs between flows; 49,152 to 65,535.
  ///   - frameLength: in bytes, below 65,520.
  package static func writeVXLAN(to target: UnsafeMutableRawPointer, vni: VNI, sourcePort: UInt16, frameLength: Int) {
    target.store16(sourcePort, at: 0)
    target.store16(vxlanPort, at: 2)
    target.store16(UInt16(truncatingIfNeeded: frameLength &+ vxlanSize), at: 4)
    target.store16(0, at: 6)
    target.store32(vxlanHasVNI, at: 8)
    target.store32(vni.value << 8, at: 12)
  }

  /// Fills in the UDP checksum, which IPv6 wants (RFC 8200, section 8.1).
  ///
  /// - Parameters:
  ///   - target: what `writeVXLAN` wrote.
  ///   - addresses: the sum of both ends' addresses.
  ///   - frameSum: the sum of the frame.
  package static func completeVXLAN(
    at target: UnsafeMutableRawPointer, addresses: UInt64, frameSum: UInt64, frameLength: Int
  ) {
    let pseudo = InternetChecksum.pseudoHeader(protocolNumber: udp, length: frameLength &+ vxlanSize)
    let header = InternetChecksum.sum(UnsafeRawPointer(target), vxlanSize, InternetChecksum.add(addresses, pseudo))
    let checksum = InternetChecksum.checksum(InternetChecksum.add(header, frameSum))
    target.storeBytes(of: checksum == 0 ? .max : checksum, toByteOffset: 6, as: UInt16.self)
  }

  /// Writes a GRE header before a frame.
  ///
  /// - Parameter target: room for `greSize` bytes.
  package static func writeGRE(to target: UnsafeMutableRawPointer, vni: VNI) {
    target.store32(greWords, at: 0)
    target.store32(vni.value, at: 4)
  }

  // MARK: Reading

  /// Reads what an opened ESP packet holds.
  ///
  /// As strict as Linux is with VXLAN: flags and reserved bits are those that a host of the pool writes. A UDP
  /// checksum is not looked at, since the packet's integrity is proven already. Bytes behind the UDP datagram are
  /// padding of the traffic flow's confidentiality (RFC 4303, section 2.7).
  @inline(__always)
  package static func read(nextHeader: UInt8, _ bytes: UnsafeRawBufferPointer) throws(DropReason) -> InnerHeader {
    guard let base = bytes.baseAddress else { throw .malformedTunnel }
    switch nextHeader {
    case udp: return try readVXLAN(base, bytes.count)
    case gre: return try readGRE(base, bytes.count)
    case dummy: throw .dummy
    default: throw .malformedTunnel
    }
  }

  private static func readVXLAN(_ base: UnsafeRawPointer, _ count: Int) throws(DropReason) -> InnerHeader {
    guard count >= vxlanSize + ethernetSize else { throw .malformedTunnel }
    guard base.network16(2) == vxlanPort else { throw .wrongPort }
    let length = Int(base.network16(4))
    let last = base.network32(12)
    guard length >= vxlanSize + ethernetSize, length <= count, base.network32(8) == vxlanHasVNI, last & 0xff == 0 else {
      throw .malformedTunnel
    }
    guard let vni = VNI(last >> 8) else { throw .wrongNetwork }
    return InnerHeader(kind: .vxlan, vni: vni, frameOffset: vxlanSize, frameLength: length - vxlanSize)
  }

  private static func readGRE(_ base: UnsafeRawPointer, _ count: Int) throws(DropReason) -> InnerHeader {
    guard count >= greSize + ethernetSize, base.network32(0) == greWords else { throw .malformedTunnel }
    guard let vni = VNI(base.network32(4)) else { throw .wrongNetwork }
    return InnerHeader(kind: .gre, vni: vni, frameOffset: greSize, frameLength: count - greSize)
  }
}
