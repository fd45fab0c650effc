import CLinux
import Glibc

/// A network namespace, held by a descriptor.
package struct NetworkNamespace: ~Copyable {
  package let descriptor: Int32

  /// The calling thread's.
  package init() throws(KernelError) {
    let result = weft_open_network()
    guard result >= 0 else {
      throw .refused(operation: "open", object: "the network namespace", code: -result, message: nil)
    }
    descriptor = result
  }

  deinit { close(descriptor) }

  /// Puts the calling thread into it. Sockets that are open stay where they were made.
  package borrowing func enter() throws(KernelError) {
    let result = weft_enter_network(descriptor)
    guard result == 0 else {
      throw .refused(operation: "enter", object: "a network namespace", code: -result, message: nil)
    }
  }

  /// Puts the calling thread into a new, empty one.
  package static func leaveForNew() throws(KernelError) {
    let result = weft_unshare_network()
    guard result == 0 else {
      throw .refused(operation: "make", object: "a network namespace", code: -result, message: nil)
    }
  }

  /// Runs `body` on a thread of its own in a new namespace, which goes with it; the caller waits.
  package static func withThrowaway<Result>(_ body: () throws(KernelError) -> Result) throws(KernelError) -> Result {
    try withoutActuallyEscaping(body) { body throws(KernelError) in
      let visit = Visit(body)
      let code = weft_in_new_network(
        { context in
          guard let context else { return }
          Unmanaged<Visitable>.fromOpaque(context).takeUnretainedValue().run()
        }, Unmanaged<Visitable>.passUnretained(visit).toOpaque())
      guard code == 0, let outcome = visit.take() else {
        throw KernelError.refused(
          operation: "make", object: "a network namespace", code: -code, message: nil)
      }
      return try outcome.get()
    }
  }
}

private class Visitable {
  func run() {}
}

private final class Visit<Value>: Visitable {
  private var body: (() throws(KernelError) -> Value)?
  private var outcome: Result<Value, KernelError>?

  init(_ body: @escaping () throws(KernelError) -> Value) { self.body = body }

  override func run() {
    guard let body else { return }
    do {
      outcome = .success(try body())
    } catch {
      outcome = .failure(error)
    }
    self.body = nil
  }

  func take() -> Result<Value, KernelError>? {
    body = nil
    return outcome
  }
}
