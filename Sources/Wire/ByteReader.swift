/// Why bytes from outside were not accepted.
package enum WireError: Error, Equatable {
  /// The bytes end before the value `what` is complete.
  case truncated(_ what: String)
  /// The value `what` lies outside what the format allows.
  case invalid(_ what: String)
  /// Bytes are left behind the last value.
  case trailing(_ count: Int)
}

/// Reads a message in network byte order. It never reads past the end and never traps: every read can throw.
package struct ByteReader {
  private let bytes: [UInt8]
  private var position: Int
  private let end: Int

  package init(_ bytes: [UInt8]) {
    self.bytes = bytes
    position = 0
    end = bytes.count
  }

  package init(_ bytes: ArraySlice<UInt8>) { self.init(Array(bytes)) }

  package var remaining: Int { end - position }

  package var isAtEnd: Bool { position == end }

  package mutating func readUInt8(_ what: String = "byte") throws(WireError) -> UInt8 {
    guard remaining >= 1 else { throw .truncated(what) }
    defer { position += 1 }
    return bytes[position]
  }

  package mutating func readUInt16(_ what: String = "16-bit number") throws(WireError) -> UInt16 {
    try readInteger(what)
  }

  package mutating func readUInt32(_ what: String = "32-bit number") throws(WireError) -> UInt32 {
    try readInteger(what)
  }

  package mutating func readUInt64(_ what: String = "64-bit number") throws(WireError) -> UInt64 {
    try readInteger(what)
  }

  package mutating func readBytes(_ count: Int, _ what: String = "bytes") throws(WireError) -> [UInt8] {
    guard count >= 0, remaining >= count else { throw .truncated(what) }
    defer { position += count }
    return Array(bytes[position..<position + count])
  }

  /// A block with its length in 16 bits before it.
  package mutating func readBlock16(_ what: String = "block") throws(WireError) -> [UInt8] {
    try readBytes(Int(try readUInt16(what)), what)
  }

  /// A block with its length in 32 bits before it. The length is checked against the bytes at hand first.
  package mutating func readBlock32(_ what: String = "block") throws(WireError) -> [UInt8] {
    try readBytes(Int(try readUInt32(what)), what)
  }

  /// UTF-8 with its length in 16 bits before it; invalid UTF-8 is refused, not repaired.
  package mutating func readString(_ what: String = "text") throws(WireError) -> String {
    guard let text = String(validating: try readBlock16(what), as: UTF8.self) else { throw .invalid(what) }
    return text
  }

  /// Everything that is left.
  package mutating func readRest() -> [UInt8] {
    defer { position = end }
    return Array(bytes[position..<end])
  }

  package func expectEnd() throws(WireError) { if !isAtEnd { throw .trailing(remaining) } }

  private mutating func readInteger<T: FixedWidthInteger>(_ what: String) throws(WireError) -> T {
    let width = MemoryLayout<T>.size
    guard remaining >= width else { throw .truncated(what) }
    var value: T = 0
    for index in position..<position + width { value = value << 8 | T(bytes[index]) }
    position += width
    return value
  }
}
