#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#endif

/// Standard output and standard error, unbuffered.
enum Output {
  static func line(_ text: String) { write(1, Array((text + "\n").utf8)) }

  static func bytes(_ bytes: [UInt8]) { write(1, bytes) }

  static func error(_ sentence: String) { write(2, Array("weft: \(Text.plain(sentence))\n".utf8)) }

  /// Ends the program when nobody reads any more (`weft events --follow | head`).
  private static func write(_ descriptor: Int32, _ bytes: [UInt8]) {
    var rest = bytes[...]
    while !rest.isEmpty {
      let count = rest.withUnsafeBytes { unistdWrite(descriptor, $0.baseAddress, $0.count) }
      if count > 0 {
        rest = rest.dropFirst(count)
      } else if errno != EINTR, errno != EAGAIN {
        exit(1)
      }
    }
  }

  private static func unistdWrite(_ descriptor: Int32, _ bytes: UnsafeRawPointer?, _ count: Int) -> Int {
    #if canImport(Glibc)
      Glibc.write(descriptor, bytes, count)
    #else
      Musl.write(descriptor, bytes, count)
    #endif
  }
}
