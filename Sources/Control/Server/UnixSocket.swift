#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#endif

/// Whether somebody listens on a unix socket.
enum UnixSocket {
  enum Probe: Equatable {
    case answers
    /// The file is there and nobody listens: its process is dead.
    case refused
    case failed(errno: Int32)
  }

  /// Connects without waiting, and closes.
  static func probe(_ path: String) -> Probe {
    let descriptor = socket(AF_UNIX, streamWithoutWaiting, 0)
    guard descriptor >= 0 else { return .failed(errno: errno) }
    defer { close(descriptor) }
    var address = sockaddr_un()
    address.sun_family = sa_family_t(AF_UNIX)
    let bytes = Array(path.utf8)
    guard bytes.count < MemoryLayout.size(ofValue: address.sun_path) else { return .failed(errno: ENAMETOOLONG) }
    withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: bytes) }
    let result = withUnsafePointer(to: &address) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
      }
    }
    if result == 0 { return .answers }
    switch errno {
    case ECONNREFUSED: return .refused
    // Somebody listens, with a full queue.
    case EAGAIN: return .answers
    case let code: return .failed(errno: code)
    }
  }

  #if canImport(Glibc)
    private static let streamWithoutWaiting = Int32(
      SOCK_STREAM.rawValue | SOCK_NONBLOCK.rawValue | SOCK_CLOEXEC.rawValue)
  #else
    private static let streamWithoutWaiting = SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC
  #endif
}
