/// The outer form of a datagram on the gossip port. The first 8 bytes are in clear in every kind: magic, version of the
/// format, kind. A datagram is at most `maximumSize` bytes, so that it fits every underlay without fragments.
package enum GossipPacket: Hashable, Sendable {
  /// Frames under AES-256-GCM. `header` is authenticated, `box` is ciphertext and tag.
  case sealed(SealedHeader, box: [UInt8])
  /// "I do not know you in this boot, say who you are": never sealed, never answered with another `who`.
  case who(Who)
  /// The answer: who the sender is, proven by its certificate and its signed host record.
  case hello(Hello)

  package static let maximumSize = 1400
  package static let magic: [UInt8] = [0x57, 0x46, 0x54, 0x31]  // "WFT1"
  package static let formatVersion: UInt8 = 1
  package static let prefixSize = 8

  /// The bytes of frames that fit one sealed packet.
  package static let maximumPlaintext = maximumSize - prefixSize - SealedHeader.size - 16

  package func encoded() -> [UInt8] {
    var writer = ByteWriter(capacity: Self.maximumSize)
    writer.append(Self.magic)
    writer.append(Self.formatVersion)
    switch self {
    case .sealed(let header, let box):
      writer.append(UInt8(1))
      writer.append(UInt16(0))
      header.encode(into: &writer)
      writer.append(box)
    case .who(let who):
      writer.append(UInt8(2))
      writer.append(UInt16(0))
      who.encode(into: &writer)
    case .hello(let hello):
      writer.append(UInt8(3))
      writer.append(UInt16(0))
      hello.encode(into: &writer)
    }
    return writer.bytes
  }

  package static func decode(_ bytes: [UInt8]) throws(WireError) -> GossipPacket {
    guard bytes.count <= maximumSize else { throw .invalid("datagram size") }
    var reader = ByteReader(bytes)
    guard try reader.readBytes(4, "magic") == magic else { throw .invalid("magic") }
    guard try reader.readUInt8("format version") == formatVersion else { throw .invalid("format version") }
    let kind = try reader.readUInt8("packet kind")
    _ = try reader.readUInt16("reserved")
    switch kind {
    case 1:
      let header = try SealedHeader(from: &reader)
      guard reader.remaining >= 16 else { throw .truncated("tag") }
      return .sealed(header, box: reader.readRest())
    case 2: return .who(try Who(from: &reader))
    case 3: return .hello(try Hello(from: &reader))
    default: throw .invalid("packet kind")
    }
  }
}

/// Names the key and the nonce of a sealed packet; authenticated together with the 8 bytes before it.
package struct SealedHeader: Hashable, Sendable {
  package var sender: HostID
  package var senderBoot: UInt64
  package var receiverBoot: UInt64
  /// The nonce's low 64 bits: a counter that never repeats under one key.
  package var counter: UInt64

  package static let size = 16 + 8 + 8 + 8

  /// - Parameters:
  ///   - senderBoot: the nonce of the sender's boot.
  ///   - receiverBoot: the nonce of the receiver's boot, as the sender knows it.
  package init(sender: HostID, senderBoot: UInt64, receiverBoot: UInt64, counter: UInt64) {
    self.sender = sender
    self.senderBoot = senderBoot
    self.receiverBoot = receiverBoot
    self.counter = counter
  }

  package func encode(into writer: inout ByteWriter) {
    writer.append(sender)
    writer.append(senderBoot)
    writer.append(receiverBoot)
    writer.append(counter)
  }

  package init(from reader: inout ByteReader) throws(WireError) {
    sender = try reader.readHostID()
    senderBoot = try reader.readUInt64("sender boot")
    receiverBoot = try reader.readUInt64("receiver boot")
    counter = try reader.readUInt64("counter")
  }
}

/// See `GossipPacket.who`.
package struct Who: Hashable, Sendable {
  package var sender: HostID
  package var senderBoot: Boot
  /// Whom the sender means, so that a stray answer can be told apart.
  package var target: HostID

  package init(sender: HostID, senderBoot: Boot, target: HostID) {
    self.sender = sender
    self.senderBoot = senderBoot
    self.target = target
  }

  package func encode(into writer: inout ByteWriter) {
    writer.append(sender)
    writer.append(senderBoot)
    writer.append(target)
  }

  package init(from reader: inout ByteReader) throws(WireError) {
    sender = try reader.readHostID()
    senderBoot = try reader.readBoot()
    target = try reader.readHostID()
  }
}

/// See `GossipPacket.hello`.
package struct Hello: Hashable, Sendable {
  /// X.509, DER.
  package var certificate: [UInt8]
  /// The signed batch that holds the sender's host record, in its bytes.
  package var hostRecord: [UInt8]
  /// The sender does not know the receiver in its present boot and asks for a hello in return.
  package var wantsReply: Bool

  package init(certificate: [UInt8], hostRecord: [UInt8], wantsReply: Bool) {
    self.certificate = certificate
    self.hostRecord = hostRecord
    self.wantsReply = wantsReply
  }

  package func encode(into writer: inout ByteWriter) {
    writer.append(UInt8(wantsReply ? 1 : 0))
    writer.appendBlock16(certificate)
    writer.appendBlock16(hostRecord)
  }

  package init(from reader: inout ByteReader) throws(WireError) {
    wantsReply = try reader.readUInt8("hello flags") & 1 == 1
    certificate = try reader.readBlock16("certificate")
    hostRecord = try reader.readBlock16("host record")
  }
}
