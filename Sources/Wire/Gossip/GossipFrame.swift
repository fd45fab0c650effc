/// How a member of the pool is thought to be (SWIM section 3 and 4.2).
package enum MemberState: UInt8, Sendable, CaseIterable {
  case alive = 1
  case suspect = 2
  /// The agent is silent, but the host's kernel answers on TCP: its forwarding goes on.
  case agentDown = 3
  case dead = 4
  /// Left the pool by its own word.
  case left = 5
}

/// One rumour about one member: `host`, in its run `boot`, has `state` as of `incarnation`, says `source`.
package struct MemberRumour: Hashable, Sendable {
  package var host: HostID
  package var boot: Boot
  package var incarnation: Incarnation
  package var state: MemberState
  package var source: HostID

  package init(host: HostID, boot: Boot, incarnation: Incarnation, state: MemberState, source: HostID) {
    self.host = host
    self.boot = boot
    self.incarnation = incarnation
    self.state = state
    self.source = source
  }
}

/// What a host has of an owner's statements: all of `boot` up to `version`, with nothing missing below.
package struct Holding: Hashable, Sendable {
  package var owner: HostID
  package var boot: Boot
  package var version: Version

  package init(owner: HostID, boot: Boot, version: Version) {
    self.owner = owner
    self.boot = boot
    self.version = version
  }
}

/// One message inside a sealed gossip packet; a packet carries as many as fit. The sender stands in the header.
///
/// Layout of each: kind (8 bits), length of the body (16 bits), body. A kind that is not known is passed over, so that
/// a newer release can add some.
package enum GossipFrame: Hashable, Sendable {
  case ping(sequence: UInt32)
  case ack(sequence: UInt32)
  /// Asks the receiver to ping `target` and to pass its ack on (SWIM section 3.1).
  case pingRequest(sequence: UInt32, target: HostID)
  /// The receiver of a ping request is alive and got no ack from the target (Lifeguard section IV-A).
  case nack(sequence: UInt32)
  case rumour(MemberRumour)
  /// The sender's own latest statement, its incarnation and the hash over its pool records.
  case advert(boot: Boot, version: Version, incarnation: Incarnation, poolHash: UInt64)
  /// What the sender holds of an owner: the answer to a batch, and the confirmation that ends its repetition.
  case have(Holding)
  /// Asks for what follows `after` (0 for everything) of the owner's statements in `boot`.
  case want(owner: HostID, boot: Boot, after: Version)
  /// A signed batch of a host's statements, in its owner's bytes.
  case batch([UInt8])
  /// A signed pool record, in its author's bytes.
  case record([UInt8])
  /// Confirms pool records by the first 64 bits of their digests.
  case recordsSeen([UInt64])
  /// The sender has an inbound SA under `spi` for the keys of these two epochs: the receiver may send by it now. Epochs
  /// are those of the boots that the packet is sealed for.
  case standing(epoch: UInt64, receiverEpoch: UInt64, spi: SPI)
  /// By which SA of the receiver's the sender sends to it now; nil if by none. `epoch` is the sender's newest, and
  /// `receiverEpoch` the newest that it knows of the receiver: it will move to no SA of older ones any more.
  case sending(epoch: UInt64, receiverEpoch: UInt64, spi: SPI?)

  package static let headerSize = 3

  package var encodedSize: Int { Self.headerSize + body.count }

  package func encode(into writer: inout ByteWriter) {
    writer.append(kind)
    writer.appendBlock16(body)
  }

  private var kind: UInt8 {
    switch self {
    case .ping: 1
    case .ack: 2
    case .pingRequest: 3
    case .nack: 4
    case .rumour: 5
    case .advert: 6
    case .have: 7
    case .want: 8
    case .batch: 9
    case .record: 10
    case .recordsSeen: 11
    case .standing: 12
    case .sending: 13
    }
  }

  private var body: [UInt8] {
    var writer = ByteWriter()
    switch self {
    case .ping(let sequence), .ack(let sequence), .nack(let sequence): writer.append(sequence)
    case .pingRequest(let sequence, let target):
      writer.append(sequence)
      writer.append(target)
    case .rumour(let rumour):
      writer.append(rumour.state.rawValue)
      writer.append(rumour.host)
      writer.append(rumour.boot)
      writer.append(rumour.incarnation)
      writer.append(rumour.source)
    case .advert(let boot, let version, let incarnation, let poolHash):
      writer.append(boot)
      writer.append(version)
      writer.append(incarnation)
      writer.append(poolHash)
    case .have(let holding):
      writer.append(holding.owner)
      writer.append(holding.boot)
      writer.append(holding.version)
    case .want(let owner, let boot, let after):
      writer.append(owner)
      writer.append(boot)
      writer.append(after)
    case .batch(let bytes), .record(let bytes): return bytes
    case .recordsSeen(let digests): for digest in digests { writer.append(digest) }
    case .standing(let epoch, let receiverEpoch, let spi):
      writer.append(epoch)
      writer.append(receiverEpoch)
      writer.append(spi.value)
    case .sending(let epoch, let receiverEpoch, let spi):
      writer.append(epoch)
      writer.append(receiverEpoch)
      writer.append(spi?.value ?? 0)
    }
    return writer.bytes
  }

  /// Reads all frames of an opened packet. One malformed frame condemns the packet: an honest host sends none.
  package static func decodeAll(_ bytes: [UInt8]) throws(WireError) -> [GossipFrame] {
    var reader = ByteReader(bytes)
    var frames: [GossipFrame] = []
    while !reader.isAtEnd {
      let kind = try reader.readUInt8("frame kind")
      let body = try reader.readBlock16("frame")
      if let frame = try decode(kind: kind, body: body) { frames.append(frame) }
    }
    return frames
  }

  /// nil for a kind that this release does not know. A body may be longer than this release reads.
  private static func decode(kind: UInt8, body: [UInt8]) throws(WireError) -> GossipFrame? {
    var reader = ByteReader(body)
    switch kind {
    case 1: return .ping(sequence: try reader.readUInt32("ping"))
    case 2: return .ack(sequence: try reader.readUInt32("ack"))
    case 3: return .pingRequest(sequence: try reader.readUInt32("ping request"), target: try reader.readHostID())
    case 4: return .nack(sequence: try reader.readUInt32("nack"))
    case 5:
      guard let state = MemberState(rawValue: try reader.readUInt8("member state")) else {
        throw .invalid("member state")
      }
      return .rumour(
        MemberRumour(
          host: try reader.readHostID(), boot: try reader.readBoot(),
          incarnation: try reader.readUInt64("incarnation"), state: state, source: try reader.readHostID()))
    case 6:
      return .advert(
        boot: try reader.readBoot(), version: try reader.readUInt64("version"),
        incarnation: try reader.readUInt64("incarnation"), poolHash: try reader.readUInt64("pool hash"))
    case 7:
      return .have(
        Holding(owner: try reader.readHostID(), boot: try reader.readBoot(), version: try reader.readUInt64("version")))
    case 8:
      return .want(
        owner: try reader.readHostID(), boot: try reader.readBoot(), after: try reader.readUInt64("version"))
    case 9: return .batch(body)
    case 10: return .record(body)
    case 11:
      guard body.count % 8 == 0 else { throw .invalid("record digests") }
      var digests: [UInt64] = []
      while !reader.isAtEnd { digests.append(try reader.readUInt64()) }
      return .recordsSeen(digests)
    case 12:
      let epoch = try reader.readUInt64("epoch")
      let receiverEpoch = try reader.readUInt64("epoch")
      guard let spi = SPI(try reader.readUInt32("SPI")) else { throw .invalid("SPI") }
      return .standing(epoch: epoch, receiverEpoch: receiverEpoch, spi: spi)
    case 13:
      let epoch = try reader.readUInt64("epoch")
      let receiverEpoch = try reader.readUInt64("epoch")
      let value = try reader.readUInt32("SPI")
      guard value == 0 || SPI(value) != nil else { throw .invalid("SPI") }
      return .sending(epoch: epoch, receiverEpoch: receiverEpoch, spi: SPI(value))
    default: return nil
    }
  }
}
