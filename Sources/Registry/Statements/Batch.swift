import Wire

/// Statements of one host and boot, signed by it, in the bytes in which they are stored and relayed.
///
/// It holds all statements still in force whose version lies in `(from, to]`, as of the owner's version `asOf`. One
/// from 0 is (the beginning of) a snapshot: what a receiver holds at or below `to` and it does not list is gone, or
/// was said again in a version up to `asOf`.
///
/// Layout: magic, owner, boot, from, to, asOf, count (16 bits), per statement version, key and value (each with its
/// length in 16 bits); then the signature over all of that, with its length in 16 bits.
package struct Batch: Hashable, Sendable {
  package let header: Header
  package let statements: [Statement]
  /// As received or as signed.
  package let bytes: [UInt8]
  private let messageSize: Int

  package struct Header: Hashable, Sendable {
    package let owner: HostID
    package let boot: Boot
    package let from: Version
    package let to: Version
    package let asOf: Version

    init(owner: HostID, boot: Boot, from: Version, to: Version, asOf: Version) {
      self.owner = owner
      self.boot = boot
      self.from = from
      self.to = to
      self.asOf = asOf
    }

    /// Reads only what stands before the statements.
    package init(bytes: [UInt8]) throws(WireError) {
      guard bytes.count <= Batch.maximumSize else { throw .invalid("batch size") }
      var reader = ByteReader(bytes)
      try self.init(from: &reader)
    }

    fileprivate init(from reader: inout ByteReader) throws(WireError) {
      guard try reader.readBytes(4, "batch magic") == Batch.magic else { throw .invalid("batch magic") }
      owner = try reader.readHostID()
      boot = try reader.readBoot()
      from = try reader.readUInt64("first version")
      to = try reader.readUInt64("last version")
      asOf = try reader.readUInt64("version at signing")
      guard from < to, to <= asOf else { throw .invalid("version range") }
    }
  }

  /// "WBT1": no other message that a host signs begins with it.
  static let magic: [UInt8] = [0x57, 0x42, 0x54, 0x31]
  static let headerSize = 4 + 16 + 16 + 8 + 8 + 8 + 2
  /// A batch for one datagram, together with the signature.
  package static let datagramSize = 1200
  /// A batch for a stream.
  package static let maximumSize = 1 << 20
  static let signatureSize = 2 + 80

  /// What the owner signed.
  package var message: [UInt8] { Array(bytes[..<messageSize]) }

  package var signature: [UInt8] { Array(bytes[(messageSize + 2)...]) }

  package init(bytes: [UInt8]) throws(WireError) {
    guard bytes.count <= Self.maximumSize else { throw .invalid("batch size") }
    var reader = ByteReader(bytes)
    let header = try Header(from: &reader)
    let count = Int(try reader.readUInt16("statement count"))
    var statements: [Statement] = []
    var last = header.from
    for _ in 0..<count {
      let version = try reader.readUInt64("statement version")
      guard version > last, version <= header.to else { throw .invalid("statement version") }
      last = version
      let key = try StatementKey(bytes: try reader.readBlock16("statement key"))
      let value = try reader.readBlock16("statement value")
      guard value.count <= Statement.maximumValueSize else { throw .invalid("statement value") }
      statements.append(Statement(version: version, key: key, value: value))
    }
    messageSize = bytes.count - reader.remaining
    _ = try reader.readBlock16("signature")
    try reader.expectEnd()
    self.header = header
    self.statements = statements
    self.bytes = bytes
  }

  /// Signs `statements`, whose versions ascend within the header's range.
  init(header: Header, statements: [Statement], sign: ([UInt8]) -> [UInt8]) {
    var writer = ByteWriter(capacity: Self.datagramSize)
    writer.append(Self.magic)
    writer.append(header.owner)
    writer.append(header.boot)
    writer.append(header.from)
    writer.append(header.to)
    writer.append(header.asOf)
    writer.append(UInt16(truncatingIfNeeded: statements.count))
    for statement in statements {
      writer.append(statement.version)
      writer.appendBlock16(statement.key.bytes)
      writer.appendBlock16(statement.value)
    }
    messageSize = writer.count
    writer.appendBlock16(sign(writer.bytes))
    self.header = header
    self.statements = statements
    bytes = writer.bytes
  }
}

/// The batch that carries nothing but a host's record: what a hello proves itself with.
package struct SignedHostRecord: Hashable, Sendable {
  package let owner: HostID
  package let boot: Boot
  package let record: HostRecord
  /// What `signature` was made over.
  package let message: [UInt8]
  package let signature: [UInt8]

  package init(bytes: [UInt8]) throws(WireError) {
    let batch = try Batch(bytes: bytes)
    guard batch.statements.count == 1, batch.statements[0].key == .host else { throw .invalid("host record batch") }
    owner = batch.header.owner
    boot = batch.header.boot
    record = try HostRecord(bytes: batch.statements[0].value)
    message = batch.message
    signature = batch.signature
  }
}
