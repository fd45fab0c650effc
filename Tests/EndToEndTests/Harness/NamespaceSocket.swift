import CLinux
import Glibc

/// A socket made in a namespace. It stays there, whichever thread uses it later.
final class NamespaceSocket {
  let descriptor: Int32

  init(in namespace: Namespace, domain: Int32, type: __socket_type, protocol number: Int32 = 0) throws {
    let path = "/run/netns/\(namespace.name)"
    let file = open(path, O_RDONLY | O_CLOEXEC)
    guard file >= 0 else { throw Failure("there is no \(path)") }
    defer { close(file) }
    descriptor = try onThreadOfItsOwn {
      let code = weft_enter_network(file)
      guard code == 0 else { return code }
      let made = socket(domain, Int32(type.rawValue) | Int32(SOCK_CLOEXEC.rawValue), number)
      return made < 0 ? -errno : made
    }
    guard descriptor >= 0 else {
      throw Failure("no socket in \(namespace.name): \(String(cString: strerror(-descriptor)))")
    }
  }

  deinit { close(descriptor) }

  /// Waits until something can be read. False: `seconds` have passed.
  func isReadable(within seconds: Double) -> Bool {
    var poll = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
    return Glibc.poll(&poll, 1, Int32(max(0, seconds) * 1000) + 1) > 0
  }
}

private final class ThreadBody {
  let body: () -> Int32
  var result: Int32 = -1
  init(_ body: @escaping () -> Int32) { self.body = body }
}

/// Runs `body` on a thread that ends with it, so that the namespace it enters is left with it.
private func onThreadOfItsOwn(_ body: @escaping () -> Int32) throws -> Int32 {
  let work = ThreadBody(body)
  var thread = pthread_t()
  let code = pthread_create(
    &thread, nil,
    { context in
      guard let context else { return nil }
      let work = Unmanaged<ThreadBody>.fromOpaque(context).takeUnretainedValue()
      work.result = work.body()
      return nil
    }, Unmanaged.passUnretained(work).toOpaque())
  guard code == 0 else { throw Failure("no thread: \(String(cString: strerror(code)))") }
  pthread_join(thread, nil)
  return work.result
}
