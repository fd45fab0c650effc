import Glibc

/// What the kernel lets programs use of the processor: the line `flags` of /proc/cpuinfo.
enum ProcessorFlags {
  /// Empty if there is no such line, as on other architectures than x86.
  static func read() -> Set<Substring> {
    guard let file = fopen("/proc/cpuinfo", "re") else { return [] }
    defer { fclose(file) }
    var line: UnsafeMutablePointer<CChar>?
    var capacity = 0
    defer { free(line) }
    while getline(&line, &capacity, file) > 0, let line {
      if let flags = parse(String(cString: line)) { return flags }
    }
    return []
  }

  static func parse(_ line: String) -> Set<Substring>? {
    let parts = line.split(separator: ":", maxSplits: 1)
    guard parts.count == 2, parts[0].split(whereSeparator: \.isWhitespace) == ["flags"] else { return nil }
    return Set(parts[1].split(whereSeparator: \.isWhitespace))
  }
}
