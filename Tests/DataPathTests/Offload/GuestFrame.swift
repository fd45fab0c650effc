import DataPath

/// An Ethernet frame with TCP as a guest sends it, written byte by byte with slow checksums of its own, so that it
/// shares nothing with what it tests.
struct GuestFrame {
  var destination: [UInt8] = [2, 0, 0, 0, 0, 1]
  var source: [UInt8] = [2, 0, 0, 0, 0, 2]
  /// VLAN tags, each as its 16-bit type and the 16 bits behind it.
  var tags: [(type: UInt16, value: UInt16)] = []
  var isIPv6 = false
  /// Of IPv4 the last octet, of IPv6 the last 16 bits.
  var sourceHost: UInt8 = 1
  var destinationHost: UInt8 = 2
  var trafficClass: UInt8 = 0
  var hopLimit: UInt8 = 64
  var identification: UInt16 = 0
  /// Flags and fragment offset of IPv4; DF.
  var fragment: UInt16 = 0x4000
  var ipOptions: [UInt8] = []
  /// Extension headers of IPv6: the number of each, and its bytes from the second on.
  var extensions: [(number: UInt8, rest: [UInt8])] = []
  var sourcePort: UInt16 = 5001
  var destinationPort: UInt16 = 40_000
  var sequence: UInt32 = 1
  var acknowledgement: UInt32 = 7
  /// The four bits behind the data offset.
  var reserved: UInt8 = 0
  /// ACK.
  var flags: UInt8 = 0x10
  var window: UInt16 = 512
  var urgent: UInt16 = 0
  var tcpOptions: [UInt8] = []
  var payload: [UInt8] = []
  /// Ethernet padding.
  var padding: [UInt8] = []

  var ethernetSize: Int { 14 + 4 * tags.count }
  var networkSize: Int {
    isIPv6 ? 40 + extensions.reduce(0) { $0 + 1 + $1.rest.count } : 20 + ipOptions.count
  }
  var transportOffset: Int { ethernetSize + networkSize }
  var headerSize: Int { transportOffset + 20 + tcpOptions.count }

  /// With all checksums complete.
  var bytes: [UInt8] {
    var segment = segment
    segment.set(~SlowChecksum.sum(pseudoHeader + segment), at: 16)
    return link + network + segment + padding
  }

  /// With the sum of the pseudo-header where the TCP checksum is.
  var partialBytes: [UInt8] {
    var segment = segment
    segment.set(SlowChecksum.sum(pseudoHeader), at: 16)
    return link + network + segment + padding
  }

  func virtioHeader(segmentSize: UInt16) -> VirtioNetHeader {
    var header = VirtioNetHeader()
    header.flags = VirtioNetHeader.needsChecksum
    header.gsoType = isIPv6 ? VirtioNetHeader.tcp6 : VirtioNetHeader.tcp4
    header.gsoSize = segmentSize
    header.headerLength = UInt16(headerSize)
    header.checksumStart = UInt16(transportOffset)
    header.checksumOffset = 16
    return header
  }

  /// What the network shall see of it: RFC 9293, RFC 791, RFC 3168 as words.
  func segments(of size: Int) -> [GuestFrame] {
    let starts = payload.isEmpty ? [0] : Array(stride(from: 0, to: payload.count, by: size))
    return starts.enumerated().map { index, start in
      var frame = self
      frame.padding = []
      frame.payload = Array(payload[start..<min(start + size, payload.count)])
      frame.sequence = sequence &+ UInt32(start)
      frame.identification = identification &+ UInt16(index)
      if index != starts.count - 1 { frame.flags &= ~0x09 }
      if index != 0 { frame.flags &= ~0x80 }
      return frame
    }
  }

  private var link: [UInt8] {
    destination + source + tags.flatMap { $0.type.octets + $0.value.octets }
      + (isIPv6 ? [0x86, 0xdd] : [0x08, 0x00])
  }

  private var addresses: [UInt8] {
    isIPv6
      ? [0x20, 1, 0x0d, 0xb8] + [UInt8](repeating: 0, count: 11) + [sourceHost]
        + [0x20, 1, 0x0d, 0xb8] + [UInt8](repeating: 0, count: 11) + [destinationHost]
      : [192, 0, 2, sourceHost, 198, 51, 100, destinationHost]
  }

  private var network: [UInt8] {
    let length = UInt16(truncatingIfNeeded: networkSize + 20 + tcpOptions.count + payload.count)
    if isIPv6 {
      let numbers = extensions.map(\.number) + [6]
      let fixed: [UInt8] = [0x60 | trafficClass >> 4, trafficClass << 4, 0x12, 0x34]
      return fixed + (length &- 40).octets + [numbers[0], hopLimit] + addresses
        + extensions.enumerated().flatMap { [numbers[$0 + 1]] + $1.rest }
    }
    var header: [UInt8] = [UInt8(0x45 + ipOptions.count / 4), trafficClass] + length.octets
    header += identification.octets + fragment.octets + [hopLimit, 6, 0, 0] + addresses + ipOptions
    header.set(~SlowChecksum.sum(header), at: 10)
    return header
  }

  private var pseudoHeader: [UInt8] {
    addresses + [0, 6] + UInt16(truncatingIfNeeded: 20 + tcpOptions.count + payload.count).octets
  }

  private var segment: [UInt8] {
    sourcePort.octets + destinationPort.octets + sequence.octets + acknowledgement.octets
      + [UInt8(0x50 + tcpOptions.count * 4) | reserved, flags] + window.octets + [0, 0] + urgent.octets + tcpOptions
      + payload
  }
}

/// RFC 1071 as it is told there: 16-bit words in network order, carries added at the end.
enum SlowChecksum {
  static func sum(_ bytes: [UInt8]) -> UInt16 {
    var sum = 0
    for (index, byte) in bytes.enumerated() { sum += Int(byte) << (index % 2 == 0 ? 8 : 0) }
    while sum > 0xffff { sum = sum & 0xffff + sum >> 16 }
    return UInt16(sum)
  }
}

extension FixedWidthInteger {
  /// In network order.
  var octets: [UInt8] { withUnsafeBytes(of: bigEndian) { Array($0) } }
}

extension [UInt8] {
  mutating func set(_ value: UInt16, at offset: Int) { replaceSubrange(offset..<offset + 2, with: value.octets) }
}
