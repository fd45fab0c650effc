import Glibc

/// What one run of the tests has in common: the binaries under test, a directory, names that no other run uses.
enum TestRun {
  /// Namespaces of this run begin so; a later run removes those of a run that is dead.
  static let prefix = "weft-test-\(getpid())"

  static let directory: String = {
    let path = "/tmp/\(prefix)"
    mkdir(path, 0o700)
    atexit {
      unlink("/tmp/\(TestRun.prefix)/batch")
      rmdir("/tmp/\(TestRun.prefix)")
    }
    return path
  }()

  /// `WEFT_BIN_DIR`, or the directory of the test bundle, where a build leaves `weftd` and `weft`.
  static let binaries: String = {
    if let path = getenv("WEFT_BIN_DIR") { return String(cString: path) }
    var directory = CommandLine.arguments[0]
    for argument in CommandLine.arguments where argument.hasSuffix(".xctest") { directory = argument }
    while let slash = directory.lastIndex(of: "/") {
      directory = String(directory[..<slash])
      if Files.exists(directory + "/weftd") { return directory }
    }
    return ".build/debug"
  }()

  /// By how much every time limit is longer than on a usual machine: `WEFT_TEST_PATIENCE`, 1 without it.
  static let patience: Double = {
    guard let text = getenv("WEFT_TEST_PATIENCE"), let factor = Double(String(cString: text)), factor >= 1 else {
      return 1
    }
    return factor
  }()

  /// What carries networks of which a test does not say how: `WEFT_TEST_PATH`, the kernel without it.
  static let path: PacketPath = {
    guard let text = getenv("WEFT_TEST_PATH") else { return .kernel }
    return PacketPath(rawValue: String(cString: text)) ?? .kernel
  }()

  /// Keeps a file for who looks at the run afterwards, in the directory `WEFT_TEST_OUTPUT` if there is one.
  static func keep(_ path: String, as name: String) throws {
    guard let directory = getenv("WEFT_TEST_OUTPUT") else { return }
    try must(["cp", path, "\(String(cString: directory))/\(name)"])
  }

  static var weftd: String { binaries + "/weftd" }
  static var weft: String { binaries + "/weft" }

  /// Why the tests cannot run here, or nil.
  static var obstacle: String? {
    if geteuid() != 0 { return "these tests make network namespaces and need root" }
    for path in [weftd, weft] where access(path, X_OK) != 0 {
      return "there is no \(path): build the products, or set WEFT_BIN_DIR to where they are"
    }
    return nil
  }

  /// Namespaces, processes in them, and files of runs whose process is gone (a run that was killed). Done once.
  static let sweep: Void = {
    guard let list = try? run(["ip", "netns", "list"]).output else { return }
    for line in list.split(separator: "\n") {
      guard let name = line.split(separator: " ").first.map(String.init), let owner = owner(of: name) else { continue }
      if owner != getpid(), !Files.exists("/proc/\(owner)") { Namespace.remove(name) }
    }
    guard let leftovers = try? run(["find", "/tmp", "-maxdepth", "1", "-name", "weft-test-*"]).output else { return }
    for path in leftovers.split(separator: "\n") {
      guard let owner = owner(of: String(path.dropFirst(5))) else { continue }
      if owner != getpid(), !Files.exists("/proc/\(owner)") { _ = try? run(["rm", "-rf", String(path)]) }
    }
  }()

  private static func owner(of name: String) -> pid_t? {
    let words = name.split(separator: "-")
    guard words.count >= 3, words[0] == "weft", words[1] == "test" else { return nil }
    return pid_t(words[2])
  }
}
