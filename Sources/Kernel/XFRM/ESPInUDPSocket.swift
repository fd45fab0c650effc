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

  private static let drainLimit = 256

  package let local: VTEP
  /// For epoll; non-blocking. Readable when there is something to `drain`.
  package let descriptor: Int32

  /// - Throws: `.refused`, with EADDRINUSE if another program has the port.
  package init(local: VTEP) throws(KernelError) {
    self.local = local
    let bytes = local.bytes
    let result = weft_open_esp_in_udp(bytes, UInt8(bytes.count), Self.port)
    guard result >= 0 else {
      let holder = result == -EADDRINUSE ? UDPPortHolder.find(local, Self.port) : nil
      throw .refused(
        operation: "take ESP in UDP at", object: "\(Endpoint(address: local, port: Self.port))\(holder ?? "")",
        code: -result, message: nil)
    }
    descriptor = result
  }

  deinit { close(descriptor) }

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
