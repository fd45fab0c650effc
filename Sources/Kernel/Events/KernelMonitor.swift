import CNetlink
import Glibc
import Wire

/// What changed in the namespace.
package enum KernelEvent: Equatable, Sendable {
  /// An interface is new or changed (state, carrier, bridge, name, MTU, alias).
  case link(Link)
  case linkGone(index: Int32, name: String)
  /// A forwarding entry is new or changed; our own changes are reported too.
  case entry(FDBEntry)
  case entryGone(FDBEntry)
  case address(InterfaceAddress)
  case addressGone(InterfaceAddress)
  /// Events were lost: dump everything and compare.
  case overrun
}

/// Listens for changes of links, forwarding entries and addresses in the namespace in which it was made. Its descriptor
/// is readable when there is something; for one thread.
package final class KernelMonitor {
  private static let receiveBuffer: Int32 = 16 << 20
  /// Datagrams taken in one call, so that a storm of events does not keep the thread from its other work.
  private static let datagramLimit = 64

  private let raw: OpaquePointer
  private let buffer: UnsafeMutableRawBufferPointer
  /// For epoll; non-blocking.
  package let descriptor: Int32
  /// Bytes that the kernel granted for waiting events.
  package let receiveBufferSize: Int

  /// - Parameters:
  ///   - entries: whether changes of forwarding entries are reported. Each change of our own would come back as one.
  ///   - receiveBuffer: bytes for events that wait; tests make it small.
  package init(entries: Bool = true, receiveBuffer: Int32? = nil) throws(KernelError) {
    guard let raw = nl_socket_alloc() else { fatalError("out of memory") }
    nl_socket_disable_seq_check(raw)
    var result = nl_connect(raw, NETLINK_ROUTE)
    let groups = [RTNLGRP_LINK, RTNLGRP_IPV4_IFADDR, RTNLGRP_IPV6_IFADDR] + (entries ? [RTNLGRP_NEIGH] : [])
    for group in groups where result == 0 { result = nl_socket_add_membership(raw, Int32(group.rawValue)) }
    if result == 0 { result = nl_socket_set_nonblocking(raw) }
    guard result == 0 else {
      let code = errno
      nl_socket_free(raw)
      throw .refused(operation: "listen for", object: "changes of the network", code: code, message: nil)
    }
    self.raw = raw
    descriptor = nl_socket_get_fd(raw)
    var room = receiveBuffer ?? Self.receiveBuffer
    let size = socklen_t(MemoryLayout<Int32>.size)
    // Without CAP_NET_ADMIN in the first user namespace only the limit of net.core.rmem_max is granted.
    if setsockopt(descriptor, SOL_SOCKET, SO_RCVBUFFORCE, &room, size) != 0 {
      setsockopt(descriptor, SOL_SOCKET, SO_RCVBUF, &room, size)
    }
    var length = size
    getsockopt(descriptor, SOL_SOCKET, SO_RCVBUF, &room, &length)
    receiveBufferSize = Int(room)
    buffer = .allocate(byteCount: 1 << 17, alignment: 16)
  }

  deinit {
    buffer.deallocate()
    nl_socket_free(raw)
  }

  /// Everything that waits, up to a limit; empty when there is nothing. Call again while the descriptor is readable.
  package func receive() throws(KernelError) -> [KernelEvent] {
    var events: [KernelEvent] = []
    for _ in 0..<Self.datagramLimit {
      let count = recv(descriptor, buffer.baseAddress, buffer.count, 0)
      if count < 0 {
        switch errno {
        case EINTR: continue
        case EAGAIN: return events
        case ENOBUFS:
          events.append(.overrun)
          continue
        default: throw .refused(operation: "read", object: "changes of the network", code: errno, message: nil)
        }
      }
      NetlinkSocket.forEachMessage(UnsafeRawBufferPointer(rebasing: buffer[..<count])) { header, payload in
        if let event = Self.event(Int(header.nlmsg_type), payload) { events.append(event) }
      }
    }
    return events
  }

  private static func event(_ type: Int, _ payload: UnsafeRawBufferPointer) -> KernelEvent? {
    switch type {
    case RTM_NEWLINK: Link(payload).map(KernelEvent.link)
    case RTM_DELLINK: Link(payload).map { .linkGone(index: $0.index, name: $0.name) }
    case RTM_NEWNEIGH: FDBEntry(payload).map(KernelEvent.entry)
    case RTM_DELNEIGH: FDBEntry(payload).map(KernelEvent.entryGone)
    case RTM_NEWADDR: InterfaceAddress(payload).map(KernelEvent.address)
    case RTM_DELADDR: InterfaceAddress(payload).map(KernelEvent.addressGone)
    default: nil
    }
  }
}
