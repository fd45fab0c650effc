import Glibc

/// The settings below `/proc/sys/net` of the calling thread's network namespace.
package enum KernelSettings {
  /// The value without its line end; nil if the setting does not exist on this kernel.
  package static func read(_ path: String) -> String? {
    let descriptor = open("/proc/sys/net/" + path, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else { return nil }
    defer { close(descriptor) }
    var bytes = [UInt8](repeating: 0, count: 256)
    let count = Glibc.read(descriptor, &bytes, bytes.count)
    guard count >= 0 else { return nil }
    return String(decoding: bytes[..<count].prefix { $0 != UInt8(ascii: "\n") }, as: UTF8.self)
  }

  /// Brings the setting to this value.
  ///
  /// - Returns: true if it had to be changed; false if it had the value, or does not exist on this kernel.
  @discardableResult
  package static func ensure(_ path: String, _ value: String) throws(KernelError) -> Bool {
    guard let old = read(path), old != value else { return false }
    let descriptor = open("/proc/sys/net/" + path, O_WRONLY | O_CLOEXEC)
    guard descriptor >= 0 else {
      throw .refused(operation: "change the setting", object: path, code: errno, message: nil)
    }
    defer { close(descriptor) }
    let bytes = Array(value.utf8)
    guard write(descriptor, bytes, bytes.count) == bytes.count else {
      throw .refused(operation: "set to \(value) the setting", object: path, code: errno, message: nil)
    }
    return true
  }
}
