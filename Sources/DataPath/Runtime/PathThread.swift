import CLinux
import Glibc

/// A thread of the packet path. It takes no signals, and comes before what guests and other programs of dom0 compute, as
/// the kernel's own packet path does: otherwise every frame waits for its turn at a busy processor.
final class PathThread {
  /// Of setpriority(2), from -20, which comes first, to 19.
  private static let niceness: Int32 = -15

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
        // On Linux 0 means this thread alone. Without the right to it, the path works at its ordinary turn.
        _ = setpriority(Int32(PRIO_PROCESS.rawValue), 0, PathThread.niceness)
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
