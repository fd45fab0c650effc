import CNetlink
import Glibc

/// A packet socket on one interface of a trial: sends whole frames there, and sees those of others that pass.
final class TrialSocket {
  private let descriptor: Int32

  init(interface: Int32) throws(KernelError) {
    let everything = UInt16(ETH_P_ALL).bigEndian
    let descriptor = socket(AF_PACKET, Int32(SOCK_RAW.rawValue) | Int32(SOCK_NONBLOCK.rawValue), Int32(everything))
    guard descriptor >= 0 else {
      throw .refused(operation: "open", object: "a packet socket", code: errno, message: nil)
    }
    self.descriptor = descriptor
    var address = sockaddr_ll()
    address.sll_family = UInt16(AF_PACKET)
    address.sll_protocol = everything
    address.sll_ifindex = interface
    let bound = withUnsafeBytes(of: &address) { bytes in
      bytes.withMemoryRebound(to: sockaddr.self) { bind(descriptor, $0.baseAddress, socklen_t(bytes.count)) }
    }
    guard bound == 0 else {
      throw .refused(operation: "bind", object: "a packet socket", code: errno, message: nil)
    }
    // What came in from other interfaces before it was bound.
    _ = receive()
  }

  deinit { close(descriptor) }

  /// A frame that the kernel refuses to send has not left, which is all that a trial asks.
  func send(_ frame: [UInt8]) { _ = Glibc.send(descriptor, frame, frame.count, 0) }

  /// Every frame that waits.
  func receive() -> [[UInt8]] {
    var frames: [[UInt8]] = []
    var buffer = [UInt8](repeating: 0, count: 2048)
    while true {
      let count = recv(descriptor, &buffer, buffer.count, 0)
      if count < 0, errno == EINTR { continue }
      guard count > 0 else { return frames }
      frames.append(Array(buffer[..<count]))
    }
  }
}
