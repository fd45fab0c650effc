import CNetlink
import Glibc

/// Tells that someone changed the rules of packet filters (nf_tables) in the namespace in which it was made. What was
/// changed is for a look to find. For one thread.
package final class PacketFilterMonitor {
  /// `NFNLGRP_NFTABLES` of linux/netfilter/nfnetlink.h.
  private static let group: Int32 = 7
  private static let datagramLimit = 64

  private let raw: OpaquePointer
  private let buffer: UnsafeMutableRawBufferPointer
  private let ownPort: UInt32
  /// For epoll; non-blocking.
  package let descriptor: Int32

  /// - Parameter own: changes that were made by it are not told.
  package init(ignoring own: PacketFilterLock) throws(KernelError) {
    guard let raw = nl_socket_alloc() else { fatalError("out of memory") }
    nl_socket_disable_seq_check(raw)
    var result = nl_connect(raw, NETLINK_NETFILTER)
    if result == 0 { result = nl_socket_add_membership(raw, Self.group) }
    if result == 0 { result = nl_socket_set_nonblocking(raw) }
    guard result == 0 else {
      let code = errno
      nl_socket_free(raw)
      throw .refused(operation: "listen for", object: "changes of packet filters", code: code, message: nil)
    }
    self.raw = raw
    ownPort = own.port
    descriptor = nl_socket_get_fd(raw)
    buffer = .allocate(byteCount: 1 << 16, alignment: 16)
  }

  deinit {
    buffer.deallocate()
    nl_socket_free(raw)
  }

  /// Takes what waits, up to a limit.
  ///
  /// - Returns: whether there was something that others did, or may have done.
  package func drain() throws(KernelError) -> Bool {
    var isForeign = false
    for _ in 0..<Self.datagramLimit {
      let count = recv(descriptor, buffer.baseAddress, buffer.count, 0)
      if count < 0 {
        switch errno {
        case EINTR: continue
        case EAGAIN: return isForeign
        case ENOBUFS: isForeign = true
        default: throw .refused(operation: "read", object: "changes of packet filters", code: errno, message: nil)
        }
        continue
      }
      NetlinkSocket.forEachMessage(UnsafeRawBufferPointer(rebasing: buffer[..<count])) { header, _ in
        if header.nlmsg_pid != ownPort { isForeign = true }
      }
    }
    return isForeign
  }
}
