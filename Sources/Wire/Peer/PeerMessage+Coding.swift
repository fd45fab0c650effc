extension PeerMessage {
  /// - Throws: `tooLong` beyond `maximumSize`; `malformed` for a value that no receiver would take, so that a mistake
  ///   shows where it was made.
  package func encoded() throws(PeerMessageError) -> [UInt8] {
    let fields = self.fields
    guard fields.reduce(3, { $0 + 6 + $1.value.count }) <= Self.maximumSize else { throw .tooLong }
    var read = PeerFields()
    for (tag, value) in fields { read.append(tag, value) }
    do throws(WireError) { _ = try Self.message(kind, read) } catch { throw .malformed(error) }
    var writer = ByteWriter()
    writer.append(Self.formatVersion)
    writer.append(kind)
    for (tag, value) in fields {
      writer.append(tag)
      writer.appendBlock32(value)
    }
    return writer.bytes
  }

  /// Takes nothing on trust: sizes are bounded, and every field of a fixed size has it.
  package static func decode(_ bytes: [UInt8]) throws(PeerMessageError) -> PeerMessage {
    guard bytes.count <= maximumSize else { throw .tooLong }
    var reader = ByteReader(bytes)
    var version: UInt8 = 0
    var kind: UInt16 = 0
    var message: PeerMessage?
    do throws(WireError) {
      version = try reader.readUInt8("format version")
      if version == formatVersion {
        kind = try reader.readUInt16("kind")
        message = try Self.message(kind, PeerFields(from: &reader))
      }
    } catch {
      throw .malformed(error)
    }
    guard version == formatVersion else { throw .format(version) }
    guard let message else { throw .unknown(kind: kind) }
    return message
  }

  private var kind: UInt16 {
    switch self {
    case .join: 1
    case .forwardJoin: 2
    case .joined: 3
    case .sync: 4
    case .syncAnswer: 5
    case .fetchAuthority: 6
    case .authority: 7
    case .ping: 9
    case .pong: 10
    case .refused: 11
    case .rekey: 12
    case .rekeyed: 13
    }
  }

  private var fields: [(tag: UInt16, value: [UInt8])] {
    switch self {
    case .join(let request), .forwardJoin(let request): request.fields
    case .joined(let answer): answer.fields
    case .sync(let bytes), .syncAnswer(let bytes): [(1, bytes)]
    case .fetchAuthority(let hash): [(1, hash)]
    case .authority(let authority): authority.fields
    case .ping, .pong, .rekey: []
    case .rekeyed(let epoch): [(1, bytes { $0.append(epoch) })]
    case .refused(let refusal): refusal.fields
    }
  }

  /// nil for a kind that this release does not know.
  private static func message(_ kind: UInt16, _ fields: PeerFields) throws(WireError) -> PeerMessage? {
    switch kind {
    case 1: .join(try JoinRequest(fields))
    case 2: .forwardJoin(try JoinRequest(fields))
    case 3: .joined(try JoinAnswer(fields))
    case 4: .sync(try fields.one(1, "sync request"))
    case 5: .syncAnswer(try fields.one(1, "sync answer"))
    case 6: .fetchAuthority(certificateHash: try fields.one(1, "CA hash", 32...32))
    case 7: .authority(try Authority(fields))
    case 9: .ping
    case 10: .pong
    case 11: .refused(try Refusal(fields))
    case 12: .rekey
    case 13: .rekeyed(epoch: try fields.number(1, "epoch"))
    default: nil
    }
  }
}

/// The fields of one message by tag, in their order.
private struct PeerFields {
  private var values: [UInt16: [[UInt8]]] = [:]

  init() {}

  init(from reader: inout ByteReader) throws(WireError) {
    while !reader.isAtEnd { append(try reader.readUInt16("field tag"), try reader.readBlock32("field")) }
  }

  mutating func append(_ tag: UInt16, _ value: [UInt8]) { values[tag, default: []].append(value) }

  func one(_ tag: UInt16, _ what: String, _ size: ClosedRange<Int> = 0...Int.max) throws(WireError) -> [UInt8] {
    guard let all = values[tag], let value = all.first else { throw .truncated(what) }
    guard all.count == 1, size.contains(value.count) else { throw .invalid(what) }
    return value
  }

  func many(
    _ tag: UInt16, _ what: String, _ count: ClosedRange<Int>, size: ClosedRange<Int>
  ) throws(WireError) -> [[UInt8]] {
    let all = values[tag] ?? []
    guard count.contains(all.count), all.allSatisfy({ size.contains($0.count) }) else { throw .invalid(what) }
    return all
  }

  func text(_ tag: UInt16, _ what: String, _ size: ClosedRange<Int>) throws(WireError) -> String {
    guard let text = String(validating: try one(tag, what, size), as: UTF8.self) else { throw .invalid(what) }
    return text
  }

  func number(_ tag: UInt16, _ what: String) throws(WireError) -> UInt64 {
    try one(tag, what, 8...8).reduce(0) { $0 << 8 | UInt64($1) }
  }
}

private typealias Fields = [(tag: UInt16, value: [UInt8])]

private func bytes(_ build: (inout ByteWriter) -> Void) -> [UInt8] {
  var writer = ByteWriter()
  build(&writer)
  return writer.bytes
}

/// Room for a certificate or for what one may become (post-quantum keys are larger).
private let certificateSize = 1...16_384
private let nameSize = 1...255

extension JoinRequest {
  fileprivate var fields: Fields {
    [(1, tokenID), (2, secret), (3, Array(name.utf8)), (4, identityKey), (5, Array(release.utf8))]
  }

  fileprivate init(_ fields: PeerFields) throws(WireError) {
    tokenID = try fields.one(1, "token ID", 16...16)
    secret = try fields.one(2, "token secret", 32...32)
    name = try fields.text(3, "host name", nameSize)
    identityKey = try fields.one(4, "identity key", 65...65)
    release = try fields.text(5, "release", 0...255)
  }
}

extension JoinAnswer {
  fileprivate var fields: Fields {
    var fields: Fields = [(16, certificate), (17, Array(poolName.utf8)), (18, poolID)]
    fields += authority.fields
    for record in poolRecords { fields.append((19, record)) }
    for seed in seeds { fields.append((20, bytes { $0.append(seed) })) }
    return fields
  }

  fileprivate init(_ fields: PeerFields) throws(WireError) {
    certificate = try fields.one(16, "certificate", certificateSize)
    poolName = try fields.text(17, "pool name", nameSize)
    poolID = try fields.one(18, "pool ID", 1...64)
    authority = try Authority(fields)
    poolRecords = try fields.many(19, "pool records", 0...262_144, size: 1...1_048_576)
    seeds = []
    for value in try fields.many(20, "addresses of members", 0...1024, size: 1...32) {
      var reader = ByteReader(value)
      seeds.append(try reader.readEndpoint())
      try reader.expectEnd()
    }
  }
}

extension Authority {
  fileprivate var fields: Fields {
    [(1, bytes { $0.append(generation) }), (2, privateKey)] + certificates.map { (3, $0) }
  }

  fileprivate init(_ fields: PeerFields) throws(WireError) {
    generation = try fields.number(1, "CA generation")
    privateKey = try fields.one(2, "CA key", 32...32)
    certificates = try fields.many(3, "CA certificates", 1...1024, size: certificateSize)
  }
}

extension Refusal {
  fileprivate var fields: Fields { [(1, bytes { $0.append(code.rawValue) }), (2, Array(sentence.utf8))] }

  fileprivate init(_ fields: PeerFields) throws(WireError) {
    code = Code(rawValue: try fields.one(1, "refusal code", 2...2).reduce(0) { $0 << 8 | UInt16($1) })
    sentence = try fields.text(2, "refusal", 0...Self.maximumSentence)
  }
}
