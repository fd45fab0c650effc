import Wire

/// Reads decisions from a fuzzer's input. It never fails: behind the end everything is 0.
struct FuzzInput {
  private var rest: ArraySlice<UInt8>

  init(_ bytes: [UInt8]) { rest = bytes[...] }

  var isAtEnd: Bool { rest.isEmpty }

  mutating func byte() -> UInt8 { rest.popFirst() ?? 0 }

  /// 0 up to `limit`, without it.
  mutating func number(below limit: Int) -> Int { Int(byte()) % limit }

  /// Bytes with their count in 16 bits before them, or what there is of them.
  mutating func chunk(atMost limit: Int = .max) -> [UInt8] {
    let count = Int(byte()) << 8 | Int(byte())
    let taken = Array(rest.prefix(min(count, limit)))
    rest = rest.dropFirst(count)
    return taken
  }

  mutating func everything() -> [UInt8] {
    defer { rest = [] }
    return Array(rest)
  }
}
