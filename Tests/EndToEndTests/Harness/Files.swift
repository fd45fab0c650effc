import Glibc

/// Small files, read and written whole.
enum Files {
  static func read(_ path: String) -> [UInt8] {
    let file = open(path, O_RDONLY | O_CLOEXEC)
    guard file >= 0 else { return [] }
    defer { close(file) }
    var bytes: [UInt8] = []
    var buffer = [UInt8](repeating: 0, count: 1 << 16)
    while true {
      let count = Glibc.read(file, &buffer, buffer.count)
      if count <= 0 { return bytes }
      bytes.append(contentsOf: buffer[..<count])
    }
  }

  /// The last `count` bytes of a file that may be large.
  static func tail(_ path: String, _ count: Int) -> [UInt8] {
    let file = open(path, O_RDONLY | O_CLOEXEC)
    guard file >= 0 else { return [] }
    defer { close(file) }
    let start = max(0, lseek(file, 0, SEEK_END) - count)
    var bytes = [UInt8](repeating: 0, count: count)
    return Array(bytes[..<max(0, pread(file, &bytes, count, start))])
  }

  /// A file from this byte on.
  static func tail(_ path: String, from start: Int) -> [UInt8] {
    let file = open(path, O_RDONLY | O_CLOEXEC)
    guard file >= 0 else { return [] }
    defer { close(file) }
    let count = max(0, lseek(file, 0, SEEK_END) - start)
    guard count > 0 else { return [] }
    var bytes = [UInt8](repeating: 0, count: count)
    return Array(bytes[..<max(0, pread(file, &bytes, count, start))])
  }

  static func text(_ path: String) -> String { String(decoding: read(path), as: UTF8.self) }

  /// Replaces the content and keeps the file's mode and owner if it is there already.
  static func write(_ bytes: some Sequence<UInt8>, to path: String) throws {
    let file = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o600)
    guard file >= 0 else { throw Failure("cannot write \(path): \(String(cString: strerror(errno)))") }
    defer { close(file) }
    let all = Array(bytes)
    var done = 0
    while done < all.count {
      let count = all[done...].withUnsafeBytes { Glibc.write(file, $0.baseAddress, $0.count) }
      guard count > 0 else { throw Failure("cannot write \(path): \(String(cString: strerror(errno)))") }
      done += count
    }
  }

  static func exists(_ path: String) -> Bool { access(path, F_OK) == 0 }

  /// The regular files below `directory`, as paths relative to it, sorted.
  static func list(_ directory: String) throws -> [String] {
    try run(["find", directory, "-type", "f", "-printf", "%P\\n"]).output.split(separator: "\n").map(String.init)
      .sorted()
  }
}

private nonisolated(unsafe) var commandCount = 0

/// Runs a command to its end, at most `seconds`; nothing is thrown for an exit code other than 0.
func run(_ command: [String], within seconds: Double = 30, input: String = "/dev/null") throws -> Answer {
  commandCount += 1
  let base = "\(TestRun.directory)/command-\(commandCount)"
  let child = try Child(command, output: base + ".out", errors: base + ".err", input: input)
  let status = child.wait(within: seconds)
  let answer = Answer(status: status ?? 124, output: Files.text(base + ".out"), errors: Files.text(base + ".err"))
  unlink(base + ".out")
  unlink(base + ".err")
  guard status != nil else {
    throw Failure("\(command.joined(separator: " ")) did not end within \(seconds) s: \(answer.said)")
  }
  return answer
}

/// Runs a command that has to succeed, and gives its output.
@discardableResult
func must(_ command: [String], within seconds: Double = 30, input: String = "/dev/null") throws -> String {
  let answer = try run(command, within: seconds, input: input)
  guard answer.status == 0 else { throw Failure("\(command.joined(separator: " ")): \(answer.said)") }
  return answer.output
}
