import CLinux
import Glibc

/// Runs one of the host's programs, for what the kernel offers no small interface to. The caller waits.
enum Command {
  /// - Throws: `.program` with what it said, if it cannot be run or fails.
  static func run(_ arguments: [String], input: String = "") throws(KernelError) {
    let strings = arguments.map { strdup($0) }
    defer { for string in strings { free(string) } }
    var pointers: [UnsafePointer<CChar>?] = strings.map { $0.map { UnsafePointer($0) } }
    pointers.append(nil)
    var said = [CChar](repeating: 0, count: 1024)
    let bytes = Array(input.utf8)
    let code = weft_run(&pointers, bytes, bytes.count, &said, said.count)
    guard code != 0 else { return }
    let text = String(decoding: said.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self)
    let why = code < 0 ? String(cString: strerror(-code)) : "exit code \(code)"
    let words = text.split(whereSeparator: \.isNewline).joined(separator: " ")
    throw .program(name: arguments.first ?? "", said: words.isEmpty ? why : words)
  }

  /// Whether a program of that name is on PATH.
  static func exists(_ name: String) -> Bool {
    let path = getenv("PATH").map { String(cString: $0) } ?? "/usr/sbin:/usr/bin:/sbin:/bin"
    return path.split(separator: ":").contains { access("\($0)/\(name)", X_OK) == 0 }
  }
}
