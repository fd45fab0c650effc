import Glibc

@testable import Agent

/// A directory of its own for a test, gone at its end.
final class ScratchDirectory: Sendable {
  let path: String

  init() {
    var template = Array("/tmp/weft-test.XXXXXX".utf8CString)
    precondition(mkdtemp(&template) != nil)
    path = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
  }

  deinit {
    for name in names(path) { unlink("\(path)/\(name)") }
    rmdir(path)
  }

  func open(before: @escaping @Sendable (StateDirectory.Step) -> Bool = { _ in true }) throws -> StateDirectory {
    try StateDirectory(path: path, before: before)
  }

  func bytes(_ name: String) -> [UInt8] {
    let file = Glibc.open("\(path)/\(name)", O_RDONLY)
    defer { close(file) }
    var bytes = [UInt8](repeating: 0, count: 1 << 16)
    let count = read(file, &bytes, bytes.count)
    return Array(bytes[..<max(0, count)])
  }

  func put(_ name: String, _ bytes: [UInt8], mode: mode_t = 0o600) {
    let file = Glibc.open("\(path)/\(name)", O_WRONLY | O_CREAT | O_TRUNC, 0o600)
    precondition(write(file, bytes, bytes.count) == bytes.count && fchmod(file, mode) == 0)
    close(file)
  }

  func names() -> [String] { names(path) }

  private func names(_ path: String) -> [String] {
    guard let directory = opendir(path) else { return [] }
    defer { closedir(directory) }
    var names: [String] = []
    while let entry = readdir(directory) {
      let name = withUnsafePointer(to: &entry.pointee.d_name) {
        $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
      }
      if name != ".", name != ".." { names.append(name) }
    }
    return names.sorted()
  }
}
