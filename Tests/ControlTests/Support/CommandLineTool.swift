import Glibc

/// The real `weft`, built beside the tests, run as a process.
enum CommandLineTool {
  struct Run: Sendable {
    /// The status it left with; negative if a signal ended it.
    let status: Int32
    let output: String
    let error: String
  }

  static func run(_ arguments: [String], environment: [String] = []) async throws -> Run {
    try await start(arguments, environment: environment).wait()
  }

  static func start(_ arguments: [String], environment: [String] = [], asNobody: Bool = false) throws -> Process {
    let tool = try path()
    if asNobody {
      let wrapper = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "--", tool]
      return try Process("/usr/bin/setpriv", wrapper + arguments, environment)
    }
    return try Process(tool, ["weft"] + arguments, environment)
  }

  /// SwiftPM puts the test runner and the executables of the package into one directory.
  private static func path() throws -> String {
    var buffer = [CChar](repeating: 0, count: 4096)
    let count = readlink("/proc/self/exe", &buffer, buffer.count)
    let runner = String(decoding: buffer.prefix(max(0, count)).map { UInt8(bitPattern: $0) }, as: UTF8.self)
    guard let slash = runner.lastIndex(of: "/") else { throw TestFault("no /proc/self/exe") }
    let tool = "\(runner[..<slash])/weft"
    guard access(tool, X_OK) == 0 else { throw TestFault("\(tool) is not built") }
    return tool
  }
}

extension CommandLineTool {
  /// A running `weft`, with stream sockets on its standard output and error.
  final class Process: Sendable {
    private let pid: pid_t
    private let output: Int32
    private let error: Int32

    fileprivate init(_ path: String, _ arguments: [String], _ environment: [String]) throws {
      var outputPipe: [Int32] = [0, 0]
      var errorPipe: [Int32] = [0, 0]
      let stream = Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue)
      guard socketpair(AF_UNIX, stream, 0, &outputPipe) == 0, socketpair(AF_UNIX, stream, 0, &errorPipe) == 0 else {
        throw TestFault("socketpair: \(errno)")
      }
      var actions = posix_spawn_file_actions_t()
      posix_spawn_file_actions_init(&actions)
      defer { posix_spawn_file_actions_destroy(&actions) }
      posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0)
      posix_spawn_file_actions_adddup2(&actions, outputPipe[1], 1)
      posix_spawn_file_actions_adddup2(&actions, errorPipe[1], 2)
      var words = arguments.map { strdup($0) } + [nil]
      let variables = ["PATH=/usr/bin:/bin"] + Self.loaderPath + environment
      var values = variables.map { strdup($0) } + [nil]
      defer { for pointer in words + values { free(pointer) } }
      var child: pid_t = 0
      let code = posix_spawn(&child, path, &actions, nil, &words, &values)
      close(outputPipe[1])
      close(errorPipe[1])
      (pid, output, error) = (child, outputPipe[0], errorPipe[0])
      guard code == 0 else { throw TestFault("posix_spawn \(path): \(code)") }
    }

    /// Where the Swift runtime is, if the tests were told.
    private static var loaderPath: [String] {
      guard let value = getenv("LD_LIBRARY_PATH") else { return [] }
      return ["LD_LIBRARY_PATH=\(String(cString: value))"]
    }

    deinit {
      close(output)
      close(error)
    }

    /// The next bytes of its standard output, until `text` is among them.
    func read(until text: String) async throws -> String {
      let output = output
      return try await offPool {
        var result: [UInt8] = []
        while let bytes = readSome(output) {
          result += bytes
          let sofar = String(decoding: result, as: UTF8.self)
          if sofar.contains(text) { return sofar }
        }
        throw TestFault("ended before '\(text)': \(String(decoding: result, as: UTF8.self))")
      }
    }

    /// What is left of its output, and its end.
    func wait() async throws -> Run {
      let (pid, output, error) = (pid, output, error)
      async let errorText = offPool { readRest(error) }
      let outputText = try await offPool { readRest(output) }
      let status = try await offPool {
        var status: Int32 = 0
        guard waitpid(pid, &status, 0) == pid else { throw TestFault("waitpid: \(errno)") }
        return status & 0x7f == 0 ? status >> 8 & 0xff : -(status & 0x7f)
      }
      return Run(status: status, output: outputText, error: try await errorText)
    }
  }
}

private func readSome(_ descriptor: Int32) -> [UInt8]? {
  var buffer = [UInt8](repeating: 0, count: 65_536)
  let count = read(descriptor, &buffer, buffer.count)
  return count > 0 ? Array(buffer[..<count]) : nil
}

private func readRest(_ descriptor: Int32) -> String {
  var result: [UInt8] = []
  while let bytes = readSome(descriptor) { result += bytes }
  return String(decoding: result, as: UTF8.self)
}
