import CNetlink
import Glibc

/// A netlink socket for notices: what others, and this program, changed in the namespace in which it was made. For one
/// thread.
final class NetlinkListener {
  /// Datagrams taken in one call, so that a storm of notices does not keep the thread from its other work.
  private static let datagramLimit = 64

  private let raw: OpaquePointer
  private let buffer: UnsafeMutableRawBufferPointer
  /// How much of the buffer was ever written since it was wiped.
  private var filled = 0
  /// What the notices are about, for errors: "changes of the network".
  private let subject: String
  /// For epoll; non-blocking.
  let descriptor: Int32

  /// - Parameters:
  ///   - family: `NETLINK_ROUTE`, `NETLINK_XFRM`, `NETLINK_NETFILTER`.
  ///   - groups: of that family.
  ///   - subject: what the notices are about, as in "changes of the network".
  init(_ family: Int32, groups: [Int32], _ subject: String) throws(KernelError) {
    guard let raw = nl_socket_alloc() else { fatalError("out of memory") }
    nl_socket_disable_seq_check(raw)
    var result = nl_connect(raw, family)
    for group in groups where result == 0 { result = nl_socket_add_membership(raw, group) }
    if result == 0 { result = nl_socket_set_nonblocking(raw) }
    guard result == 0 else {
      let code = errno
      nl_socket_free(raw)
      throw .refused(operation: "listen for", object: subject, code: code, message: nil)
    }
    self.raw = raw
    self.subject = subject
    descriptor = nl_socket_get_fd(raw)
    buffer = .allocate(byteCount: 1 << 17, alignment: 16)
  }

  deinit {
    buffer.deallocate()
    nl_socket_free(raw)
  }

  /// Asks for room for notices that wait, in bytes; what the kernel granted is `room`.
  func makeRoom(_ bytes: Int32) {
    var bytes = bytes
    let size = socklen_t(MemoryLayout<Int32>.size)
    // Without CAP_NET_ADMIN in the first user namespace only the limit of net.core.rmem_max is granted.
    if setsockopt(descriptor, SOL_SOCKET, SO_RCVBUFFORCE, &bytes, size) != 0 {
      setsockopt(descriptor, SOL_SOCKET, SO_RCVBUF, &bytes, size)
    }
  }

  /// Bytes that the kernel granted for notices that wait.
  var room: Int {
    var bytes: Int32 = 0
    var length = socklen_t(MemoryLayout<Int32>.size)
    getsockopt(descriptor, SOL_SOCKET, SO_RCVBUF, &bytes, &length)
    return Int(bytes)
  }

  /// Takes what waits, up to a limit. Call again while the descriptor is readable.
  ///
  /// - Parameters:
  ///   - lost: is called where notices are missing, as there was no room for them.
  ///   - each: is called with every message, in their order.
  func receive(
    lost: () -> Void, each: (nlmsghdr, UnsafeRawBufferPointer) -> Void
  ) throws(KernelError) {
    for _ in 0..<Self.datagramLimit {
      let count = recv(descriptor, buffer.baseAddress, buffer.count, 0)
      if count < 0 {
        switch errno {
        case EINTR: continue
        case EAGAIN: return
        case ENOBUFS:
          lost()
          continue
        default: throw .refused(operation: "read", object: subject, code: errno, message: nil)
        }
      }
      filled = max(filled, count)
      NetlinkSocket.forEachMessage(UnsafeRawBufferPointer(rebasing: buffer[..<count]), each)
    }
  }

  /// Overwrites what was read: it held keys.
  func wipe() {
    if let start = buffer.baseAddress { explicit_bzero(start, filled) }
    filled = 0
  }
}
