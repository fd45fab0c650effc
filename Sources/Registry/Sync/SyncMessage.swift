import Wire

/// What two hosts exchange over TCP to repair what datagrams did not bring.
///
/// The caller sends a digest; the answer delivers what the caller lacks and asks for what the answerer lacks; the caller
/// delivers that, and the answer to it ends the exchange. Layout: magic, kind (8 bits), the parts in order, each list
/// with its count in 32 bits before it; bytes behind the parts are of a newer release and passed over.
enum SyncMessage: Hashable, Sendable {
  case digest(SyncDigest)
  case delivery(SyncDelivery)

  /// "WSY1".
  static let magic: [UInt8] = [0x57, 0x53, 0x59, 0x31]
  static let maximumSize = 8 << 20
  /// A delivery that grew beyond this says that there is more.
  static let deliverySize = 2 << 20

  var bytes: [UInt8] {
    var writer = ByteWriter()
    writer.append(Self.magic)
    switch self {
    case .digest(let digest):
      writer.append(UInt8(1))
      digest.encode(into: &writer)
    case .delivery(let delivery):
      writer.append(UInt8(2))
      delivery.encode(into: &writer)
    }
    return writer.bytes
  }

  init(bytes: [UInt8]) throws(WireError) {
    guard bytes.count <= Self.maximumSize else { throw .invalid("sync message size") }
    var reader = ByteReader(bytes)
    guard try reader.readBytes(4, "sync magic") == Self.magic else { throw .invalid("sync magic") }
    switch try reader.readUInt8("sync kind") {
    case 1: self = .digest(try SyncDigest(from: &reader))
    case 2: self = .delivery(try SyncDelivery(from: &reader))
    default: throw .invalid("sync kind")
    }
  }
}

/// How far a host holds each owner's statements, and which pool records it has.
struct SyncDigest: Hashable, Sendable {
  var holdings: [Holding] = []
  var poolHash: UInt64 = 0
  /// nil as long as the hashes are thought to agree.
  var records: [RecordDigest]?

  init() {}

  func encode(into writer: inout ByteWriter) {
    writer.append(UInt32(clamping: holdings.count))
    for holding in holdings { writer.append(holding) }
    writer.append(poolHash)
    writer.append(UInt8(records == nil ? 0 : 1))
    if let records { writer.append(records) }
  }

  init(from reader: inout ByteReader) throws(WireError) {
    for _ in 0..<(try reader.readCount(of: 40, "holdings")) { holdings.append(try reader.readHolding()) }
    poolHash = try reader.readUInt64("pool hash")
    if try reader.readUInt8("record list") == 1 { records = try reader.readDigests() }
  }
}

/// Batches and records for the receiver, and what the sender lacks itself.
struct SyncDelivery: Hashable, Sendable {
  var batches: [[UInt8]] = []
  var records: [[UInt8]] = []
  /// Owners of whose statements the sender has less: send what follows.
  var wanted: [Holding] = []
  /// Digests of records that the sender lacks.
  var wantedRecords: [RecordDigest] = []
  /// The digests of all records of the sender, if it could not tell what the receiver lacks.
  var allRecords: [RecordDigest]?
  /// Not everything found room.
  var hasMore = false

  init() {}

  /// Whether it asks or brings nothing.
  var isEmpty: Bool {
    batches.isEmpty && records.isEmpty && wanted.isEmpty && wantedRecords.isEmpty && allRecords == nil
  }

  var size: Int { batches.reduce(0) { $0 + $1.count } + records.reduce(0) { $0 + $1.count } }

  func encode(into writer: inout ByteWriter) {
    writer.append(UInt8((hasMore ? 1 : 0) | (allRecords == nil ? 0 : 2)))
    writer.append(UInt32(clamping: batches.count))
    for batch in batches { writer.appendBlock32(batch) }
    writer.append(UInt32(clamping: records.count))
    for record in records { writer.appendBlock32(record) }
    writer.append(UInt32(clamping: wanted.count))
    for holding in wanted { writer.append(holding) }
    writer.append(wantedRecords)
    if let allRecords { writer.append(allRecords) }
  }

  init(from reader: inout ByteReader) throws(WireError) {
    let flags = try reader.readUInt8("delivery flags")
    hasMore = flags & 1 != 0
    for _ in 0..<(try reader.readCount(of: 4, "batches")) { batches.append(try reader.readBlock32("batch")) }
    for _ in 0..<(try reader.readCount(of: 4, "records")) { records.append(try reader.readBlock32("record")) }
    for _ in 0..<(try reader.readCount(of: 40, "wanted")) { wanted.append(try reader.readHolding()) }
    wantedRecords = try reader.readDigests()
    if flags & 2 != 0 { allRecords = try reader.readDigests() }
  }
}

extension ByteWriter {
  fileprivate mutating func append(_ holding: Holding) {
    append(holding.owner)
    append(holding.boot)
    append(holding.version)
  }

  fileprivate mutating func append(_ digests: [RecordDigest]) {
    append(UInt32(clamping: digests.count))
    for digest in digests { append(digest.value) }
  }
}

extension ByteReader {
  /// A count of things that take at least `size` bytes each: never more than there can be.
  fileprivate mutating func readCount(of size: Int, _ what: String) throws(WireError) -> Int {
    let count = Int(try readUInt32(what))
    guard count <= remaining / size else { throw .truncated(what) }
    return count
  }

  fileprivate mutating func readHolding() throws(WireError) -> Holding {
    Holding(owner: try readHostID(), boot: try readBoot(), version: try readUInt64("version"))
  }

  fileprivate mutating func readDigests() throws(WireError) -> [RecordDigest] {
    var digests: [RecordDigest] = []
    for _ in 0..<(try readCount(of: 8, "record digests")) { digests.append(RecordDigest(try readUInt64())) }
    return digests
  }
}
