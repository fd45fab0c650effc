import CNetlink
import Wire

/// The attributes of a message or of a nest in it, read in their order. Nothing is read past the end, whatever the
/// lengths inside say.
struct Attributes: Sequence {
  let bytes: UnsafeRawBufferPointer

  /// Those behind the header of `size` bytes at the start of a message's payload.
  init(_ payload: UnsafeRawBufferPointer, after size: Int) {
    let start = Self.aligned(size)
    bytes =
      start <= payload.count
      ? UnsafeRawBufferPointer(rebasing: payload[start...]) : UnsafeRawBufferPointer(start: nil, count: 0)
  }

  init(nested attribute: Attribute) { bytes = attribute.bytes }

  func makeIterator() -> Iterator { Iterator(rest: bytes) }

  struct Iterator: IteratorProtocol {
    var rest: UnsafeRawBufferPointer

    mutating func next() -> Attribute? {
      guard rest.count >= 4 else { return nil }
      let length = Int(rest.loadUnaligned(fromByteOffset: 0, as: UInt16.self))
      let type = rest.loadUnaligned(fromByteOffset: 2, as: UInt16.self)
      guard length >= 4, length <= rest.count else { return nil }
      let body = UnsafeRawBufferPointer(rebasing: rest[4..<length])
      rest = UnsafeRawBufferPointer(rebasing: rest[Swift.min(Attributes.aligned(length), rest.count)...])
      return Attribute(type: Int(type & UInt16(Attributes.typeBits)), bytes: body)
    }
  }

  static func aligned(_ size: Int) -> Int { (size + 3) & ~3 }

  /// The low 14 bits name the attribute; the others say that it is a nest or in network order.
  fileprivate static let typeBits = 0x3fff
}

/// One attribute, valid only as long as the buffer that it was read from.
struct Attribute {
  let type: Int
  let bytes: UnsafeRawBufferPointer

  var u8: UInt8? { bytes.count >= 1 ? bytes[0] : nil }

  var u16: UInt16? { bytes.count >= 2 ? bytes.loadUnaligned(as: UInt16.self) : nil }

  var u32: UInt32? { bytes.count >= 4 ? bytes.loadUnaligned(as: UInt32.self) : nil }

  var u64: UInt64? { bytes.count >= 8 ? bytes.loadUnaligned(as: UInt64.self) : nil }

  /// Up to the first zero byte.
  var text: String { String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self) }

  var mac: MACAddress? { MACAddress(octets: bytes) }

  var address: IPAddress? { IPAddress(bytes: Array(bytes)) }
}
