/// Builds a message in network byte order.
///
/// Every multi-byte integer of Weft's own formats is big endian. Lengths are written by the caller, so that a
/// message can be measured before it is sent.
package struct ByteWriter {
  package private(set) var bytes: [UInt8] = []

  package init(capacity: Int = 0) { bytes.reserveCapacity(capacity) }

  package var count: Int { bytes.count }

  package mutating func append(_ value: UInt8) { bytes.append(value) }

  package mutating func append(_ value: UInt16) { appendInteger(value) }

  package mutating func append(_ value: UInt32) { appendInteger(value) }

  package mutating func append(_ value: UInt64) { appendInteger(value) }

  package mutating func append(_ value: [UInt8]) { bytes.append(contentsOf: value) }

  package mutating func append(_ value: ArraySlice<UInt8>) { bytes.append(contentsOf: value) }

  /// A block of at most 65,535 bytes with its length in 16 bits before it.
  ///
  /// - Precondition: `value` has at most 65,535 bytes; callers bound it when the value is made.
  package mutating func appendBlock16(_ value: [UInt8]) {
    append(UInt16(value.count))
    append(value)
  }

  /// A block with its length in 32 bits before it.
  package mutating func appendBlock32(_ value: [UInt8]) {
    append(UInt32(value.count))
    append(value)
  }

  /// UTF-8 with its length in 16 bits before it.
  package mutating func append(_ value: String) { appendBlock16(Array(value.utf8)) }

  private mutating func appendInteger<T: FixedWidthInteger>(_ value: T) {
    withUnsafeBytes(of: value.bigEndian) { bytes.append(contentsOf: $0) }
  }
}
