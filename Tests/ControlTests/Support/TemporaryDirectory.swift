import Glibc

/// A directory of one test, removed with what the tests put there.
final class TemporaryDirectory: Sendable {
  let path: String

  init() throws {
    var template = Array("/tmp/weft-control.XXXXXX".utf8CString)
    guard mkdtemp(&template) != nil else { throw TestFault("mkdtemp: \(errno)") }
    path = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
  }

  deinit {
    for name in ["weft.sock", "weft.soc~", "deep/er/weft.sock", "plain"] { unlink("\(path)/\(name)") }
    for name in ["deep/er", "deep"] { rmdir("\(path)/\(name)") }
    rmdir(path)
  }
}

struct TestFault: Error, CustomStringConvertible {
  let description: String
  init(_ description: String) { self.description = description }
}
