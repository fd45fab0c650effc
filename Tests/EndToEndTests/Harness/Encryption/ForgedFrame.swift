import Glibc

/// A guest's frame in a tunnel packet that a machine on the underlay made by hand, in clear.
struct ForgedFrame {
  /// Underlay addresses and MACs, as text.
  var from: (ip: String, mac: String)
  var to: (ip: String, mac: String)
  var isV6: Bool

  /// VXLAN (RFC 7348) with a UDP checksum.
  func vxlan(port: UInt16, vni: UInt32, _ inner: [UInt8]) throws -> [UInt8] {
    let header: [UInt8] = [8, 0, 0, 0] + number(vni << 8)
    let length = 8 + header.count + inner.count
    var udp = number(UInt16(50_000)) + number(port) + number(UInt16(length)) + [0, 0] + header + inner
    let sum = try checksum(pseudoHeader(17, length) + udp)
    udp.replaceSubrange(6..<8, with: number(sum == 0 ? 0xffff : sum))
    return try packet(17, udp)
  }

  /// GRE with a key (RFC 2890) around an Ethernet frame.
  func gre(key: UInt32, _ inner: [UInt8]) throws -> [UInt8] {
    try packet(47, [0x20, 0, 0x65, 0x58] + number(key) + inner)
  }

  private func packet(_ next: UInt8, _ payload: [UInt8]) throws -> [UInt8] {
    let ends = try address(from.ip) + address(to.ip)
    if isV6 {
      let header = [0x60, 0, 0, 0] + number(UInt16(payload.count)) + [next, 64] + ends
      return Frame.ethernet(to: to.mac, from: from.mac, type: 0x86dd, payload: header + payload)
    }
    var header: [UInt8] = [0x45, 0] + number(UInt16(20 + payload.count)) + [0, 0, 0x40, 0, 64, next, 0, 0] + ends
    header.replaceSubrange(10..<12, with: number(checksum(header)))
    return Frame.ethernet(to: to.mac, from: from.mac, type: 0x0800, payload: header + payload)
  }

  private func pseudoHeader(_ next: UInt8, _ length: Int) throws -> [UInt8] {
    let ends = try address(from.ip) + address(to.ip)
    return isV6 ? ends + number(UInt32(length)) + [0, 0, 0, next] : ends + [0, next] + number(UInt16(length))
  }

  /// RFC 1071.
  private func checksum(_ bytes: [UInt8]) -> UInt16 {
    var sum: UInt32 = 0
    for index in stride(from: 0, to: bytes.count, by: 2) {
      sum += UInt32(bytes[index]) << 8 | (index + 1 < bytes.count ? UInt32(bytes[index + 1]) : 0)
      sum = (sum & 0xffff) + (sum >> 16)
    }
    return ~UInt16(sum & 0xffff)
  }

  private func number<Number: FixedWidthInteger>(_ number: Number) -> [UInt8] {
    withUnsafeBytes(of: number.bigEndian) { Array($0) }
  }

  private func address(_ text: String) throws -> [UInt8] {
    var bytes = [UInt8](repeating: 0, count: isV6 ? 16 : 4)
    guard inet_pton(isV6 ? AF_INET6 : AF_INET, text, &bytes) == 1 else { throw Failure("\(text) is no address") }
    return bytes
  }
}
