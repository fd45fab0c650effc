import Glibc

/// Sends UDP datagrams from inside a namespace.
final class DatagramSocket {
  private let socket: NamespaceSocket

  init(in namespace: Namespace) throws {
    socket = try NamespaceSocket(in: namespace, domain: AF_INET, type: SOCK_DGRAM)
  }

  /// What the kernel refuses to send (too long, nobody there) is lost, as it would be on the way.
  func send(_ bytes: [UInt8], to address: String, port: UInt16) {
    var destination = sockaddr_in()
    destination.sin_family = sa_family_t(AF_INET)
    destination.sin_port = port.bigEndian
    inet_pton(AF_INET, address, &destination.sin_addr)
    _ = withUnsafePointer(to: &destination) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        sendto(socket.descriptor, bytes, bytes.count, 0, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
      }
    }
  }
}
