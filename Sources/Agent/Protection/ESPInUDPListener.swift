import Kernel
import Wire

/// Where the kernel takes ESP in UDP, from hosts that carry their networks in user space. It belongs to the engine's
/// thread; without it the keys with hosts that encrypt in the kernel go on as they are.
final class ESPInUDPListener {
  private(set) var socket: ESPInUDPSocket?
  /// Why there is none.
  private(set) var failure: String?

  /// At another address, or again after a failure. Nothing is done if it stands as it should.
  ///
  /// - Parameters:
  ///   - unwatch: called with the descriptor of a socket that goes.
  ///   - watch: called with a new one. If it throws, the socket goes again.
  func follow(_ local: VTEP, unwatch: (Int32) -> Void, watch: (ESPInUDPSocket) throws -> Void) rethrows {
    guard socket?.local != local else { return }
    if let old = socket { unwatch(old.descriptor) }
    socket = nil
    let new: ESPInUDPSocket
    do throws(KernelError) {
      new = try ESPInUDPSocket(local: local)
    } catch {
      failure = "\(error)"
      return
    }
    do {
      try watch(new)
    } catch {
      failure = "\(error)"
      throw error
    }
    socket = new
    failure = nil
  }
}
