import Wire

/// The checksum of IP, TCP and UDP (RFC 1071): the one's complement of the one's complement sum of 16-bit words.
///
/// Sums are in the order of the machine, as they come from memory: the order of the bytes does not matter to the sum
/// (RFC 1071, section 2 B). A sum of 64 bits stands for itself modulo 65,535, so that sums of parts that begin at an
/// even offset are added by `add`.
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
    var sum = start
    var offset = 0
    if count >= blockSize {
      offset = count & ~(blockSize &- 1)
      sum = add(sum, sumBlocks(base, offset))
    }
    while count &- offset >= 8 {
      sum = add(sum, base.loadUnaligned(fromByteOffset: offset, as: UInt64.self))
      offset &+= 8
    }
    if count &- offset >= 4 {
      sum = add(sum, UInt64(base.loadUnaligned(fromByteOffset: offset, as: UInt32.self)))
      offset &+= 4
    }
    if count &- offset >= 2 {
      sum = add(sum, UInt64(base.loadUnaligned(fromByteOffset: offset, as: UInt16.self)))
      offset &+= 2
    }
    if count > offset { sum = add(sum, UInt64(UInt16(littleEndian: UInt16(base.network8(offset))))) }
    return sum
  }

  private static let blockSize = 64

  /// The sum of a multiple of `blockSize` bytes, below 4 GiB.
  ///
  /// Vector units have no carry. So the words are added modulo 2^64, and their upper halves once more for themselves:
  /// what the upper halves do not explain of the first sum is the exact sum of the lower halves.
  private static func sumBlocks(_ base: UnsafeRawPointer, _ count: Int) -> UInt64 {
    typealias Lanes = SIMD2<UInt64>
    var (wholeA, wholeB, wholeC, wholeD) = (Lanes(), Lanes(), Lanes(), Lanes())
    var (upperA, upperB, upperC, upperD) = (Lanes(), Lanes(), Lanes(), Lanes())
    var offset = 0
    while offset < count {
      let a = base.loadUnaligned(fromByteOffset: offset, as: Lanes.self)
      let b = base.loadUnaligned(fromByteOffset: offset &+ 16, as: Lanes.self)
      let c = base.loadUnaligned(fromByteOffset: offset &+ 32, as: Lanes.self)
      let d = base.loadUnaligned(fromByteOffset: offset &+ 48, as: Lanes.self)
      wholeA &+= a
      wholeB &+= b
      wholeC &+= c
      wholeD &+= d
      upperA &+= a &>> 32
      upperB &+= b &>> 32
      upperC &+= c &>> 32
      upperD &+= d &>> 32
      offset &+= blockSize
    }
    let whole = (wholeA &+ wholeB) &+ (wholeC &+ wholeD)
    let upper = (upperA &+ upperB) &+ (upperC &+ upperD)
    return (whole &- upper &<< 32 &+ upper).wrappedSum()
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
