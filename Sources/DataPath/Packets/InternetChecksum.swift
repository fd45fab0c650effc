import Wire

/// The checksum of IP, TCP and UDP (RFC 1071): the one's complement of the one's complement sum of 16-bit words.
///
/// Sums are in the order of the machine, as they come from memory: the order of the bytes does not matter to the sum
/// (RFC 1071, section 2 B). A sum of 64 bits stands for itself modulo 65,535, so that sums of parts that begin at an even
/// offset are added by `add`.
package enum InternetChecksum {
  /// Adds with end-around carry.
  @inline(__always)
  package static func add(_ left: UInt64, _ right: UInt64) -> UInt64 {
    let (sum, overflow) = left.addingReportingOverflow(right)
    return sum &+ (overflow ? 1 : 0)
  }

  /// The sum of all 16-bit words; a last odd byte counts as if a zero followed.
  package static func sum(_ bytes: UnsafeRawBufferPointer, _ start: UInt64 = 0) -> UInt64 {
    guard let base = bytes.baseAddress else { return start }
    return sum(base, bytes.count, start)
  }

  /// The same; at least `count` bytes stand at `base`.
  package static func sum(_ base: UnsafeRawPointer, _ count: Int, _ start: UInt64 = 0) -> UInt64 {
    var (a, b, c, d) = (start, UInt64(0), UInt64(0), UInt64(0))
    var offset = 0
    while count &- offset >= 32 {
      a = add(a, base.loadUnaligned(fromByteOffset: offset, as: UInt64.self))
      b = add(b, base.loadUnaligned(fromByteOffset: offset &+ 8, as: UInt64.self))
      c = add(c, base.loadUnaligned(fromByteOffset: offset &+ 16, as: UInt64.self))
      d = add(d, base.loadUnaligned(fromByteOffset: offset &+ 24, as: UInt64.self))
      offset &+= 32
    }
    a = add(add(a, b), add(c, d))
    while count &- offset >= 2 {
      a = add(a, UInt64(base.loadUnaligned(fromByteOffset: offset, as: UInt16.self)))
      offset &+= 2
    }
    if offset < count { a = add(a, UInt64(UInt16(littleEndian: UInt16(base.network8(offset))))) }
    return a
  }

  /// What `sum` gives, of bytes that are copied at the same time. The two regions do not overlap.
  package static func copy(
    _ base: UnsafeRawPointer, _ count: Int, to target: UnsafeMutableRawPointer, _ start: UInt64 = 0
  ) -> UInt64 {
    target.copyMemory(from: base, byteCount: count)
    return sum(base, count, start)
  }

  /// The sum in 16 bits, not complemented.
  package static func fold(_ sum: UInt64) -> UInt16 {
    let half = (sum & 0xffff_ffff) &+ sum >> 32
    let quarter = (half & 0xffff) &+ half >> 16
    let most = (quarter & 0xffff) &+ quarter >> 16
    return UInt16(truncatingIfNeeded: (most & 0xffff) &+ most >> 16)
  }

  /// The checksum, ready to be stored in the order of the machine: 0 stands for a sum of 65,535.
  package static func checksum(_ sum: UInt64) -> UInt16 { ~fold(sum) }

  /// What to add for a 16-bit number of a header.
  @inline(__always)
  package static func word(_ value: UInt16) -> UInt64 { UInt64(value.bigEndian) }

  /// What to add for a 32-bit number of a header, at an even offset.
  @inline(__always)
  package static func word(_ value: UInt32) -> UInt64 { UInt64(value.bigEndian) }

  /// What the protocol and the length give to a pseudo-header (RFC 9293, section 3.1; RFC 8200, section 8.1).
  ///
  /// - Parameter length: of the transport header and what follows, in bytes; below 65,536.
  @inline(__always)
  package static func pseudoHeader(protocolNumber: UInt8, length: Int) -> UInt64 {
    word(UInt16(protocolNumber)) &+ word(UInt16(truncatingIfNeeded: length))
  }

  /// What an address gives to a pseudo-header.
  package static func sum(of address: IPAddress) -> UInt64 {
    switch address {
    case .v4(let value): word(value)
    case .v6(let high, let low): add(high.bigEndian, low.bigEndian)
    }
  }
}
