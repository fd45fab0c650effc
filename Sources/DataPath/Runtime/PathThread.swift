import CLinux
import Glibc

/// A thread of the packet path. It takes no signals.
final class PathThread {
  private final class Body {
    let name: String
    let run: () -> Void

    init(_ name: String, _ run: @escaping () -> Void) {
      self.name = name
      self.run = run
    }
  }

  /// nil once it was waited for.
  private var handle: pthread_t?

  /// - Parameters:
  ///   - name: at most 15 characters.
  ///   - run: what it does; it has all that it uses to itself.
  init(_ name: String, _ run: @escaping () -> Void) throws(DataPathError) {
    let body = Unmanaged.passRetained(Body(name, run))
    var handle = pthread_t()
    let code = pthread_create(
      &handle, nil,
      { context in
        guard let context else { return nil }
        let body = Unmanaged<Body>.fromOpaque(context).takeRetainedValue()
        weft_name_thread(body.name)
        weft_block_signals()
        body.run()
        return nil
      }, body.toOpaque())
    guard code == 0 else {
      body.release()
      throw .refused(operation: "start", object: "the thread \(name)", code: code)
    }
    self.handle = handle
  }

  /// Waits for its end.
  func join() {
    if let handle { pthread_join(handle, nil) }
    handle = nil
  }
}
