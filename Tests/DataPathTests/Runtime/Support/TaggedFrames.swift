import CLinux
import Glibc
import Testing

/// The frames that come to a guest's interface, with the tag that the kernel takes out of them.
final class TaggedFrames {
  private let socket: Int32
  private let bytes = UnsafeMutableRawBufferPointer.allocate(byteCount: 1 << 17, alignment: 16)
  private let control = UnsafeMutableRawBufferPointer.allocate(byteCount: 64, alignment: 16)

  init(_ host: PathHost) throws {
    socket = try host.guest.run { weft_tap_open(Int32(if_nametoindex("eth0")), 0, 1 << 20) }
    try #require(socket >= 0)
    var on: Int32 = 1
    let size = socklen_t(MemoryLayout<Int32>.size)
    // SOL_PACKET, PACKET_AUXDATA (linux/if_packet.h); SO_DETACH_FILTER (asm-generic/socket.h).
    try #require(setsockopt(socket, 263, 8, &on, size) == 0 && setsockopt(socket, SOL_SOCKET, 27, &on, size) == 0)
  }

  deinit {
    close(socket)
    bytes.deallocate()
    control.deallocate()
  }

  /// The next one, nil if there is none.
  func next() -> [UInt8]? {
    var part = iovec(iov_base: bytes.baseAddress, iov_len: bytes.count)
    let count = withUnsafeMutablePointer(to: &part) { part in
      var message = msghdr()
      (message.msg_iov, message.msg_iovlen) = (part, 1)
      (message.msg_control, message.msg_controllen) = (control.baseAddress, control.count)
      return recvmsg(socket, &message, 0)
    }
    guard count >= 14 else { return nil }
    let frame = Array(bytes[..<count])
    // Behind the header of 16 bytes a `tpacket_auxdata`: the tag and its type, where the status has both.
    let status = control.loadUnaligned(fromByteOffset: 16, as: UInt32.self)
    guard status & 0x50 == 0x50 else { return frame }
    let value = control.loadUnaligned(fromByteOffset: 32, as: UInt16.self)
    let type = control.loadUnaligned(fromByteOffset: 34, as: UInt16.self)
    return frame[..<12] + type.octets + value.octets + frame[12...]
  }
}
