import Glibc
import Wire

/// A datagram on the gossip port, as it was seen on the underlay.
struct RecordedDatagram {
  var sourceMAC: [UInt8]
  var source: [UInt8]
  var sourcePort: UInt16
  var destination: [UInt8]
  var payload: [UInt8]

  private static let gossipPort: UInt16 = 7677

  /// From an Ethernet frame with IPv4 and UDP; nil for anything else.
  init?(frame: [UInt8]) {
    guard frame.count > 42, frame[12] == 8, frame[13] == 0, frame[23] == UInt8(IPPROTO_UDP) else { return nil }
    let udp = 14 + Int(frame[14] & 15) * 4
    let end = 14 + (Int(frame[16]) << 8 | Int(frame[17]))
    guard udp + 8 <= end, end <= frame.count else { return nil }
    func port(at index: Int) -> UInt16 { UInt16(frame[index]) << 8 | UInt16(frame[index + 1]) }
    guard port(at: udp + 2) == Self.gossipPort else { return nil }
    sourceMAC = Array(frame[6..<12])
    source = Array(frame[26..<30])
    destination = Array(frame[30..<34])
    sourcePort = port(at: udp)
    payload = Array(frame[(udp + 8)..<end])
  }

  /// The header of a sealed packet; nil for the other kinds.
  var header: SealedHeader? {
    guard case .sealed(let header, _)? = try? GossipPacket.decode(payload) else { return nil }
    return header
  }

  /// The frame that brings it to a host, whoever it was for, from an address of one's choice.
  func frame(to mac: [UInt8], _ address: [UInt8], from sender: [UInt8]) -> [UInt8] {
    let length = UInt16(8 + payload.count)
    func bytes(_ value: UInt16) -> [UInt8] { [UInt8(value >> 8), UInt8(value & 0xff)] }
    var ip: [UInt8] = [0x45, 0] + bytes(20 + length) + [0, 0, 0, 0, 64, UInt8(IPPROTO_UDP), 0, 0] + sender + address
    ip.replaceSubrange(10..<12, with: bytes(Self.checksum(ip)))
    var udp = bytes(sourcePort) + bytes(Self.gossipPort) + bytes(length) + [0, 0] + payload
    let pseudo = sender + address + [0, UInt8(IPPROTO_UDP)] + bytes(length)
    let sum = Self.checksum(pseudo + udp)
    udp.replaceSubrange(6..<8, with: bytes(sum == 0 ? 0xffff : sum))
    return mac + sourceMAC + [8, 0] + ip + udp
  }

  /// The checksum of the internet protocols (RFC 1071).
  private static func checksum(_ bytes: [UInt8]) -> UInt16 {
    var sum: UInt32 = 0
    for index in stride(from: 0, to: bytes.count, by: 2) {
      sum += UInt32(bytes[index]) << 8 | (index + 1 < bytes.count ? UInt32(bytes[index + 1]) : 0)
    }
    while sum > 0xffff { sum = sum & 0xffff + sum >> 16 }
    return ~UInt16(sum)
  }
}

/// Sees everything that the hosts send on the gossip port, each datagram once: on the ports of the underlay's bridge. What
/// a test itself sends out there is not seen.
final class GossipRecorder {
  private let sockets: [PacketSocket]
  private(set) var datagrams: [RecordedDatagram] = []

  init(_ pool: TestPool) throws {
    sockets = try pool.hosts.map {
      try PacketSocket(in: pool.underlay, device: $0.underlayPort, receiveBuffer: 64 << 20)
    }
  }

  /// Takes what was sent so far.
  func collect() {
    for socket in sockets {
      datagrams += socket.receive(marked: GossipPacket.magic, within: 0.02).compactMap { RecordedDatagram(frame: $0) }
    }
  }
}

/// Looks whether any two sealed packets have one key and one counter, hence one nonce: with AES-GCM that would give the
/// key stream and the means to forge.
struct NonceCheck {
  private var seen: Set<SealedHeader> = []
  private(set) var repeats: [SealedHeader] = []

  var count: Int { seen.count }

  mutating func add(_ datagrams: some Sequence<RecordedDatagram>) {
    for header in datagrams.compactMap(\.header) where !seen.insert(header).inserted { repeats.append(header) }
  }
}
