import Glibc

/// A system call that failed: which one, on what, and why.
package struct SystemCallError: Error, Equatable, CustomStringConvertible {
  package let call: String
  package let code: Int32

  package init(_ call: String, code: Int32) {
    self.call = call
    self.code = code
  }

  /// Takes the reason from `errno`: make it before any other call.
  package init(_ call: String) { self.init(call, code: errno) }

  /// The kernel's words for the reason, such as "Permission denied".
  package var reason: String { Self.reason(code) }

  package var description: String { "\(call) failed: \(reason) (errno \(code))." }

  package static func reason(_ code: Int32) -> String {
    withUnsafeTemporaryAllocation(of: CChar.self, capacity: 128) { buffer in
      buffer.initialize(repeating: 0)
      guard let start = buffer.baseAddress, strerror_r(code, start, buffer.count - 1) == 0 else {
        return "error \(code)"
      }
      return String(cString: start)
    }
  }
}
