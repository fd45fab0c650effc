import CLinux

/// Network namespaces of the agent's own.
enum NetworkNamespace {
  /// Runs `body` on a thread of its own in a new namespace, which goes with it; the caller waits.
  static func withThrowaway<Result>(_ body: () throws(KernelError) -> Result) throws(KernelError) -> Result {
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
