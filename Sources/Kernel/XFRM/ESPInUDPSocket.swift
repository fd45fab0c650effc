import CLinux
import Glibc
import Wire

/// The UDP socket through which the kernel takes ESP in UDP (RFC 3948) for one address of this host. The kernel opens
/// such packets by the states that are in UDP as it does those that come as ESP; nothing of them is seen here. Without
/// the socket they are answered by "port unreachable" and get nowhere. What goes out needs no socket.
///
/// It holds for the network namespace of the thread that made it, and as long as this object lives: when the address
/// changes, make another and then drop this one. Over IPv6 kernels before Linux 5.8 take no such packets although they
/// make the socket (`KernelAbilities.Protection.espInUDP`).
package final class ESPInUDPSocket {
  /// Of both ends.
  package static let port: UInt16 = 7678

  /// `UDP_ENCAP` of `linux/udp.h`, which Glibc does not show.
  private static let encapsulation: Int32 = 100
  /// What waits on the socket is nothing that anybody needs.
  private static let receiveBuffer: Int32 = 4096
  private static let drainLimit = 256

  package let local: VTEP
  /// For epoll; non-blocking. Readable when there is something to `drain`.
  package let descriptor: Int32

  /// - Throws: `.refused`, with EADDRINUSE if another program has the port.
  package init(local: VTEP) throws(KernelError) {
    self.local = local
    let result = Self.open(local)
    guard result >= 0 else {
      let holder = result == -EADDRINUSE ? UDPPortHolder.find(local, Self.port) : nil
      throw .refused(
        operation: "take ESP in UDP at", object: "\(Endpoint(address: local, port: Self.port))\(holder ?? "")",
        code: -result, message: nil)
    }
    descriptor = result
  }

  deinit { close(descriptor) }

  /// It is told to take ESP before it is bound: no packet comes to it in another way.
  private static func open(_ local: VTEP) -> Int32 {
    let kind = Int32(SOCK_DGRAM.rawValue) | Int32(SOCK_NONBLOCK.rawValue) | Int32(SOCK_CLOEXEC.rawValue)
    let descriptor = socket(local.isV6 ? AF_INET6 : AF_INET, kind, 0)
    guard descriptor >= 0 else { return -errno }
    func set(_ level: Int32, _ option: Int32, _ value: Int32) -> Bool {
      var value = value
      return setsockopt(descriptor, level, option, &value, socklen_t(MemoryLayout<Int32>.size)) == 0
    }
    _ = set(SOL_SOCKET, SO_RCVBUF, Self.receiveBuffer)
    var result: Int32 = 0
    if local.isV6, !set(Int32(IPPROTO_IPV6), IPV6_V6ONLY, 1) { result = -errno }
    if result == 0, !set(Int32(IPPROTO_UDP), encapsulation, Int32(XFRMEncapsulation.kind)) { result = -errno }
    if result == 0 {
      let bytes = local.bytes
      result = weft_bind_inet(descriptor, bytes, UInt8(bytes.count), port)
    }
    guard result == 0 else {
      close(descriptor)
      return result
    }
    return descriptor
  }

  /// Throws away what the kernel leaves to user space: packets that say that they are no ESP (the marker of RFC 3948
  /// section 2.2) or are too short for it. Call again while the descriptor is readable.
  ///
  /// - Returns: how many there were.
  @discardableResult
  package func drain() -> Int {
    var count = 0
    var byte: UInt8 = 0
    for _ in 0..<Self.drainLimit {
      if recv(descriptor, &byte, 1, 0) >= 0 {
        count += 1
      } else if errno == EAGAIN {
        break
      }
      // Anything else is an error that some packet of ours came back with; reading it has cleared it.
    }
    return count
  }
}
