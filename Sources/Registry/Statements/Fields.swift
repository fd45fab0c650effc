import Wire

/// Tagged fields inside a value: tag (8 bits), length (16 bits), bytes. A tag that is not known is passed over.
struct FieldWriter {
  private var writer = ByteWriter()

  var bytes: [UInt8] { writer.bytes }

  mutating func append(_ tag: UInt8, _ value: [UInt8]) {
    writer.append(tag)
    writer.appendBlock16(value)
  }

  mutating func append(_ tag: UInt8, _ value: String) { append(tag, Array(value.utf8)) }

  mutating func append(_ tag: UInt8, _ value: UInt8) { append(tag, [value]) }

  mutating func append(_ tag: UInt8, _ value: UInt16) {
    var number = ByteWriter()
    number.append(value)
    append(tag, number.bytes)
  }

  mutating func append(_ tag: UInt8, _ value: UInt32) {
    var number = ByteWriter()
    number.append(value)
    append(tag, number.bytes)
  }

  mutating func append(_ tag: UInt8, _ value: UInt64) {
    var number = ByteWriter()
    number.append(value)
    append(tag, number.bytes)
  }

  mutating func append(_ tag: UInt8, _ value: [IPAddress]) {
    var list = ByteWriter()
    for address in value { list.append(address) }
    append(tag, list.bytes)
  }
}

/// The fields of a value by their tags. Of a tag that stands twice the last one counts.
struct FieldTable {
  private var fields: [UInt8: [UInt8]] = [:]

  init(_ bytes: [UInt8]) throws(WireError) {
    var reader = ByteReader(bytes)
    while !reader.isAtEnd {
      let tag = try reader.readUInt8("field tag")
      fields[tag] = try reader.readBlock16("field")
    }
  }

  func bytes(_ tag: UInt8) -> [UInt8]? { fields[tag] }

  func bytes(_ tag: UInt8, count: Int, _ what: String) throws(WireError) -> [UInt8] {
    guard let value = fields[tag], value.count == count else { throw .invalid(what) }
    return value
  }

  func text(_ tag: UInt8, maximum: Int, _ what: String) throws(WireError) -> String? {
    guard let value = fields[tag] else { return nil }
    guard value.count <= maximum, let text = String(validating: value, as: UTF8.self) else { throw .invalid(what) }
    return text
  }

  func uint8(_ tag: UInt8, _ what: String) throws(WireError) -> UInt8? {
    guard let value = fields[tag] else { return nil }
    guard value.count == 1 else { throw .invalid(what) }
    return value[0]
  }

  func uint16(_ tag: UInt8, _ what: String) throws(WireError) -> UInt16? {
    guard let value = fields[tag] else { return nil }
    var reader = ByteReader(value)
    let number = try reader.readUInt16(what)
    try reader.expectEnd()
    return number
  }

  func uint32(_ tag: UInt8, _ what: String) throws(WireError) -> UInt32? {
    guard let value = fields[tag] else { return nil }
    var reader = ByteReader(value)
    let number = try reader.readUInt32(what)
    try reader.expectEnd()
    return number
  }

  func uint64(_ tag: UInt8, _ what: String) throws(WireError) -> UInt64? {
    guard let value = fields[tag] else { return nil }
    var reader = ByteReader(value)
    let number = try reader.readUInt64(what)
    try reader.expectEnd()
    return number
  }

  /// Empty if the field is absent.
  func addresses(_ tag: UInt8, maximum: Int, _ what: String) throws(WireError) -> [IPAddress] {
    var reader = ByteReader(fields[tag] ?? [])
    var result: [IPAddress] = []
    while !reader.isAtEnd {
      guard result.count < maximum else { throw .invalid(what) }
      result.append(try reader.readIPAddress())
    }
    return result
  }
}
