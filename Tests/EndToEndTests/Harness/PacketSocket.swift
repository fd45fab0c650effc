import CLinux
import Glibc

/// Sends and takes whole Ethernet frames on one device of a namespace.
final class PacketSocket {
  private let socket: NamespaceSocket

  // packet(7): ETH_P_ALL, PACKET_OUTGOING, and the place of the packet type in struct sockaddr_ll (20 bytes).
  private static let allProtocols: UInt16 = 0x0003
  private static let outgoing: UInt8 = 4
  private static let packetTypeOffset = 10

  /// - Parameter receiveBuffer: bytes for what waits to be received; nil leaves it to the system.
  init(in namespace: Namespace, device: String, receiveBuffer: Int32? = nil) throws {
    guard let index = try namespace.link(device)?.ifindex else {
      throw Failure("\(namespace.name) has no \(device)")
    }
    socket = try NamespaceSocket(
      in: namespace, domain: AF_PACKET, type: SOCK_RAW, protocol: Int32(Self.allProtocols.bigEndian))
    if var size = receiveBuffer {
      setsockopt(socket.descriptor, SOL_SOCKET, SO_RCVBUFFORCE, &size, socklen_t(MemoryLayout<Int32>.size))
    }
    var address = [UInt8](repeating: 0, count: 20)
    address.withUnsafeMutableBytes {
      $0.storeBytes(of: UInt16(AF_PACKET), toByteOffset: 0, as: UInt16.self)
      $0.storeBytes(of: Self.allProtocols.bigEndian, toByteOffset: 2, as: UInt16.self)
      $0.storeBytes(of: Int32(index), toByteOffset: 4, as: Int32.self)
    }
    let code = address.withUnsafeBytes {
      bind(socket.descriptor, $0.baseAddress?.assumingMemoryBound(to: sockaddr.self), socklen_t($0.count))
    }
    guard code == 0 else { throw Failure("cannot bind to \(device): \(String(cString: strerror(errno)))") }
  }

  func send(_ frame: [UInt8]) throws {
    guard write(socket.descriptor, frame, frame.count) == frame.count else {
      throw Failure("cannot send a frame: \(String(cString: strerror(errno)))")
    }
  }

  /// The frames that came in and carry `mark`: until `count` are there, or `seconds` have passed, times the run's
  /// patience if a number is waited for.
  func receive(_ count: Int = .max, marked mark: [UInt8], within seconds: Double) -> [[UInt8]] {
    let end = Clock.now + seconds * (count == .max ? 1 : TestRun.patience)
    var frames: [[UInt8]] = []
    var buffer = [UInt8](repeating: 0, count: 10_000)
    var address = [UInt8](repeating: 0, count: 20)
    while frames.count < count, Clock.now < end {
      guard socket.isReadable(within: end - Clock.now) else { continue }
      var length = socklen_t(address.count)
      let size = address.withUnsafeMutableBytes {
        recvfrom(
          socket.descriptor, &buffer, buffer.count, Int32(MSG_DONTWAIT),
          $0.baseAddress?.assumingMemoryBound(to: sockaddr.self), &length)
      }
      guard size > 0, address[Self.packetTypeOffset] != Self.outgoing else { continue }
      let frame = Array(buffer[..<size])
      if frame.holds(mark) { frames.append(frame) }
    }
    return frames
  }
}

extension [UInt8] {
  /// Whether `part` stands somewhere in these bytes.
  func holds(_ part: [UInt8]) -> Bool {
    guard let first = part.first, count >= part.count else { return part.isEmpty }
    return withUnsafeBytes { all in
      part.withUnsafeBytes { part in
        guard let start = all.baseAddress, let wanted = part.baseAddress else { return false }
        var offset = 0
        while offset + part.count <= all.count,
          let found = memchr(start + offset, Int32(first), all.count - part.count + 1 - offset)
        {
          if memcmp(found, wanted, part.count) == 0 { return true }
          offset = UnsafeRawPointer(found) - start + 1
        }
        return false
      }
    }
  }
}
