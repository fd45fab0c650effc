import Wire

/// Frames for trials: marked ones that go into a tunnel device, and tunnel packets as another host would send them.
enum TrialPacket {
  /// Not used by anything else, so that a frame with it is one of the trial (IEEE 802 local experimental Ethertype 1).
  private static let type: [UInt8] = [0x88, 0xb5]

  /// A broadcast frame whose payload is `marker`, 64 bytes with zeros behind it.
  static func frame(_ marker: [UInt8], source: MACAddress) -> [UInt8] {
    let frame = MACAddress.broadcast.octets + source.octets + type + marker
    return frame + [UInt8](repeating: 0, count: max(0, 64 - frame.count))
  }

  /// A VXLAN or GRE packet in clear that carries `frame`.
  static func tunnelled(_ frame: [UInt8], by tunnel: TrialTunnel, to mac: MACAddress, from peer: MACAddress) -> [UInt8]
  {
    let (source, destination) = (tunnel.remote, tunnel.local)
    let payload: [UInt8]
    switch tunnel.traffic {
    case .udp(let port):
      let vxlan: [UInt8] = [8, 0, 0, 0] + Array(bytes(tunnel.number << 8))
      payload = udp(vxlan + frame, port: port, source: source, destination: destination)
    case .gre(let key): payload = [0x20, 0, 0x65, 0x58] + bytes(key) + frame
    }
    let ip = header(payload.count, tunnel.ipProtocol, source: source, destination: destination)
    return mac.octets + peer.octets + (source.isV6 ? [0x86, 0xdd] : [8, 0]) + ip + payload
  }

  private static func udp(_ payload: [UInt8], port: UInt16, source: VTEP, destination: VTEP) -> [UInt8] {
    let length = UInt16(payload.count + 8)
    let head = bytes(UInt16(49152)) + bytes(port) + bytes(length)
    let pseudo = source.bytes + destination.bytes + bytes(UInt32(length)) + [0, 0, 0, 17]
    let sum = checksum(pseudo + head + [0, 0] + payload)
    return head + bytes(sum == 0 ? UInt16.max : sum) + payload
  }

  private static func header(_ size: Int, _ number: UInt8, source: VTEP, destination: VTEP) -> [UInt8] {
    if source.isV6 {
      return [0x60, 0, 0, 0] + bytes(UInt16(size)) + [number, 64] + source.bytes + destination.bytes
    }
    let start: [UInt8] = [0x45, 0] + bytes(UInt16(size + 20)) + [0, 0, 0x40, 0, 64, number]
    let ends = source.bytes + destination.bytes
    return start + bytes(checksum(start + [0, 0] + ends)) + ends
  }

  /// RFC 1071.
  private static func checksum(_ bytes: [UInt8]) -> UInt16 {
    var sum = 0
    for index in stride(from: 0, to: bytes.count, by: 2) {
      sum += Int(bytes[index]) << 8 | (index + 1 < bytes.count ? Int(bytes[index + 1]) : 0)
    }
    while sum >> 16 != 0 { sum = sum & 0xffff + sum >> 16 }
    return ~UInt16(truncatingIfNeeded: sum)
  }

  private static func bytes(_ number: some FixedWidthInteger) -> [UInt8] {
    withUnsafeBytes(of: number.bigEndian) { Array($0) }
  }

  /// The SPI of an ESP packet in an Ethernet frame without tag, by itself or in UDP; nil for anything else.
  static func esp(_ frame: [UInt8]) -> (spi: UInt32, isInUDP: Bool)? {
    guard frame.count >= 66 else { return nil }
    var start: Int
    let number: UInt8
    switch (frame[12], frame[13]) {
    case (8, 0):
      guard frame[14] == 0x45 else { return nil }
      (start, number) = (34, frame[23])
    case (0x86, 0xdd): (start, number) = (54, frame[20])
    default: return nil
    }
    let isInUDP = number == 17
    if isInUDP {
      let port = bytes(ESPInUDPSocket.port)
      guard frame[start..<start + 4].elementsEqual(port + port) else { return nil }
      start += 8
    } else if number != 50 {
      return nil
    }
    return (frame[start..<start + 4].reduce(0) { $0 << 8 | UInt32($1) }, isInUDP)
  }

  /// An ESP packet as it would be had the other host sent it: the ends of Ethernet and IP change places. Neither the
  /// ICV (RFC 4106 section 5) nor any checksum tells the difference.
  static func reflected(_ frame: [UInt8]) -> [UInt8] {
    let (start, size) = frame[12] == 0x86 ? (22, 16) : (26, 4)
    var result = frame
    result[0..<6] = frame[6..<12]
    result[6..<12] = frame[0..<6]
    result[start..<start + size] = frame[start + size..<start + 2 * size]
    result[start + size..<start + 2 * size] = frame[start..<start + size]
    return result
  }

  static func contains(_ frame: [UInt8], _ marker: [UInt8]) -> Bool {
    guard frame.count >= marker.count else { return false }
    return (0...frame.count - marker.count).contains { frame[$0..<$0 + marker.count].elementsEqual(marker) }
  }
}
