import CLinux
import Glibc
import Namespaces
import Testing
import Wire

@testable import DataPath

/// One host with the packet path, and at its peer's address a plain socket that sends what it likes. It has the key of an
/// SA to the host, as a member of the pool has, and can write packets that are authentic.
final class Adversary {
  static let inbound = SPI(0x4242)
  static let material = [UInt8](repeating: 7, count: 36)

  let host: PathHost
  let peer: Namespace
  let socket: Int32
  let sealing: OutboundSA
  private let target: weft_target
  let vtep: VTEP

  init(queues: Int = 1, provider: (any AEADProvider)? = nil) throws {
    peer = try Namespace.quiet()
    let namespace = try Namespace.quiet()
    try namespace.connect("u", to: peer, "u")
    host = try PathHost(1, in: namespace, queues: queues, provider: provider)
    vtep = try PathHost.address(2, false)
    try peer.run { try sh("ip addr add 192.0.2.2/24 dev u && ip addr add 192.0.2.3/24 dev u") }
    socket = try peer.run { try Self.bound(2) }
    target = host.vtep.target(port: 7678)
    sealing = try OutboundSA(spi: try #require(Self.inbound).value, material: Self.material, threads: 1)
    try host.bind()
    try host.path.addInbound(try #require(Self.inbound), from: vtep, material: Self.material)
    try host.open(to: [])
  }

  deinit { close(socket) }

  private static func bound(_ number: Int) throws -> Int32 {
    let socket = Glibc.socket(AF_INET, Int32(SOCK_DGRAM.rawValue | SOCK_NONBLOCK.rawValue), 0)
    let address = try PathHost.address(number, false).bytes
    try #require(weft_bind_inet(socket, address, 4, 7678) == 0)
    return socket
  }

  /// Sends one datagram, or several of `segment` bytes that the host gets as one message.
  func send(_ bytes: [UInt8], segment: Int = 0, from other: Int32? = nil) {
    bytes.withUnsafeBytes { bytes in
      withUnsafePointer(to: target) { target in
        var message = weft_message(
          bytes: bytes.baseAddress, target: target, length: UInt32(bytes.count), segment: UInt32(segment))
        #expect(weft_send_messages(other ?? socket, &message, 1) == 1)
      }
    }
  }

  /// From an address that the SA does not belong to.
  func sendFromElsewhere(_ bytes: [UInt8]) throws {
    let other = try peer.run { try Self.bound(3) }
    defer { close(other) }
    send(bytes, from: other)
  }

  /// An authentic packet around this payload.
  func sealed(_ payload: [UInt8], nextHeader: UInt8 = InnerHeader.udp, by other: OutboundSA? = nil) -> [UInt8] {
    let packet = UnsafeMutableRawBufferPointer.allocate(byteCount: payload.count + 64, alignment: 16)
    defer { packet.deallocate() }
    guard let base = packet.baseAddress else { return [] }
    (base + OutboundSA.payloadOffset).copyMemory(from: payload, byteCount: payload.count)
    let length = (other ?? sealing).seal(base, payloadLength: payload.count, nextHeader: nextHeader, thread: 0)
    return Array(packet[..<length])
  }

  /// UDP, VXLAN and a frame.
  func vxlan(_ frame: [UInt8], vni: UInt32 = 77, port: UInt16 = 7679) -> [UInt8] {
    let length = UInt16(frame.count + 16)
    var header: [UInt8] = [0xc0, 0, UInt8(port >> 8), UInt8(port & 255), UInt8(length >> 8), UInt8(length & 255), 0, 0]
    header += [8, 0, 0, 0, UInt8(vni >> 16 & 255), UInt8(vni >> 8 & 255), UInt8(vni & 255), 0]
    return header + frame
  }

  /// To the host's guest, of a protocol that nobody answers.
  func frame(size: Int = 60, source: [UInt8] = [2, 0, 0x5e, 0, 0, 9]) -> [UInt8] {
    host.guestMAC.octets + source + [0x88, 0xb5] + [UInt8](repeating: 0xaa, count: size - 14)
  }
}
