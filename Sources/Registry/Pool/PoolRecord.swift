import Wire

/// What a pool record is about. The pool keeps one record per key.
package enum PoolRecordKey: Hashable, Sendable {
  case admission(HostID)
  case revocation(HostID)
  case left(HostID)
  case networkCreation(NetworkID)
  case networkField(NetworkID, NetworkField)
  case networkDeletion(NetworkID)
  /// A kind of a newer release: kept and passed on.
  case unknown(kind: UInt8, [UInt8])

  package enum NetworkField: Hashable, Sendable {
    case name
    case mtu
    case option(String)
  }

  static let maximumSize = 256

  var bytes: [UInt8] {
    var writer = ByteWriter(capacity: 24)
    switch self {
    case .admission(let host):
      writer.append(UInt8(1))
      writer.append(host)
    case .revocation(let host):
      writer.append(UInt8(2))
      writer.append(host)
    case .left(let host):
      writer.append(UInt8(3))
      writer.append(host)
    case .networkCreation(let network):
      writer.append(UInt8(4))
      writer.append(network)
    case .networkField(let network, let field):
      writer.append(UInt8(5))
      writer.append(network)
      switch field {
      case .name: writer.append(UInt8(1))
      case .mtu: writer.append(UInt8(2))
      case .option(let name):
        writer.append(UInt8(3))
        writer.append(name)
      }
    case .networkDeletion(let network):
      writer.append(UInt8(6))
      writer.append(network)
    case .unknown(let kind, let rest):
      writer.append(kind)
      writer.append(rest)
    }
    return writer.bytes
  }

  init(bytes: [UInt8]) throws(WireError) {
    guard bytes.count <= Self.maximumSize else { throw .invalid("record key") }
    var reader = ByteReader(bytes)
    let kind = try reader.readUInt8("record kind")
    switch kind {
    case 1: self = .admission(try reader.readHostID())
    case 2: self = .revocation(try reader.readHostID())
    case 3: self = .left(try reader.readHostID())
    case 4: self = .networkCreation(try reader.readNetworkID())
    case 5:
      let network = try reader.readNetworkID()
      switch try reader.readUInt8("network field") {
      case 1: self = .networkField(network, .name)
      case 2: self = .networkField(network, .mtu)
      case 3: self = .networkField(network, .option(try reader.readString("option name")))
      default:
        self = .unknown(kind: kind, Array(bytes[1...]))
        return
      }
    case 6: self = .networkDeletion(try reader.readNetworkID())
    default:
      self = .unknown(kind: kind, reader.readRest())
      return
    }
    try reader.expectEnd()
  }

  /// Whether the first writer's record stays for ever (creations, deletions, revocations, departures) or the last
  /// writer's replaces it (admissions, fields, and kinds that are not known).
  var firstStays: Bool {
    switch self {
    case .revocation, .left, .networkCreation, .networkDeletion: true
    case .admission, .networkField, .unknown: false
    }
  }
}

/// When and by whom a pool record was written (Lamport, "Time, clocks, and the ordering of events", 1978).
package struct RecordStamp: Hashable, Comparable, Sendable {
  package var counter: UInt64
  package var author: HostID

  package static func < (left: Self, right: Self) -> Bool {
    left.counter != right.counter ? left.counter < right.counter : left.author < right.author
  }
}

/// A record that belongs to no boot and outlives its writer, in its author's bytes.
///
/// Layout: magic, stamp (counter, author), key with its length in 16 bits, body with its length in 32 bits; then the
/// author's signature over all of that, with its length in 16 bits.
package struct PoolRecord: Hashable, Sendable {
  package let key: PoolRecordKey
  package let stamp: RecordStamp
  package let body: [UInt8]
  package let bytes: [UInt8]
  package let digest: RecordDigest
  private let messageSize: Int

  /// "WPR1": no other message that a host signs begins with it.
  static let magic: [UInt8] = [0x57, 0x50, 0x52, 0x31]
  static let maximumSize = 1 << 20
  /// The largest record that goes by datagram; larger ones wait for a sync.
  static let datagramSize = GossipPacket.maximumPlaintext - GossipFrame.headerSize

  var message: [UInt8] { Array(bytes[..<messageSize]) }

  var signature: [UInt8] { Array(bytes[(messageSize + 2)...]) }

  init(bytes: [UInt8]) throws(WireError) {
    guard bytes.count <= Self.maximumSize else { throw .invalid("record size") }
    var reader = ByteReader(bytes)
    guard try reader.readBytes(4, "record magic") == Self.magic else { throw .invalid("record magic") }
    stamp = RecordStamp(counter: try reader.readUInt64("record counter"), author: try reader.readHostID())
    key = try PoolRecordKey(bytes: try reader.readBlock16("record key"))
    body = try reader.readBlock32("record body")
    messageSize = bytes.count - reader.remaining
    _ = try reader.readBlock16("signature")
    try reader.expectEnd()
    self.bytes = bytes
    digest = RecordDigest.of(bytes)
  }

  init(key: PoolRecordKey, stamp: RecordStamp, body: [UInt8], sign: Sign) {
    var writer = ByteWriter()
    writer.append(Self.magic)
    writer.append(stamp.counter)
    writer.append(stamp.author)
    writer.appendBlock16(key.bytes)
    writer.appendBlock32(body)
    messageSize = writer.count
    writer.appendBlock16(sign(writer.bytes))
    self.key = key
    self.stamp = stamp
    self.body = body
    bytes = writer.bytes
    digest = RecordDigest.of(bytes)
  }

  /// Whether this record replaces `other` of the same key: a total order, so that all hosts keep the same one.
  func replaces(_ other: PoolRecord) -> Bool {
    if stamp != other.stamp { return key.firstStays ? stamp < other.stamp : stamp > other.stamp }
    return other.bytes.lexicographicallyPrecedes(bytes)
  }
}
