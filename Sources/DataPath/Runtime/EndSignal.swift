import CLinux
import Glibc

/// Tells all threads to end: a descriptor that becomes readable and stays so.
final class EndSignal {
  let descriptor: Int32

  init() throws(DataPathError) {
    descriptor = eventfd(0, Int32(EFD_CLOEXEC | EFD_NONBLOCK))
    guard descriptor >= 0 else { throw .refused(operation: "make", object: "an event descriptor", code: errno) }
  }

  deinit { close(descriptor) }

  func signal() { _ = eventfd_write(descriptor, 1) }
}
