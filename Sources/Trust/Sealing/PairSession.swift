import Crypto
import Wire

/// What a host's record says about sealing: who it is, in which boot, and its two X25519 public keys of 32 bytes.
package struct PeerKeys: Hashable, Sendable {
  package var host: HostID
  package var boot: Boot
  package var staticKey: [UInt8]
  package var ephemeralKey: [UInt8]

  package init(host: HostID, boot: Boot, staticKey: [UInt8], ephemeralKey: [UInt8]) {
    self.host = host
    self.boot = boot
    self.staticKey = staticKey
    self.ephemeralKey = ephemeralKey
  }
}

/// Seals packets for one boot of one other host and opens its packets: AES-256-GCM, one key per direction.
///
/// A class that is not Sendable, so that there is exactly one counter per key: a copied counter would repeat nonces,
/// and with them GCM loses both secrecy and authenticity (NIST SP 800-38D section 8). `Sealer` makes sessions and
/// never two for the same two boots.
package final class PairSession {
  /// The most packets under one key. At the longest packet 2^40 of them leave an attacker an advantage below 2^-35
  /// (NIST SP 800-38D appendix C); at 1,000 packets a second they last 34 years.
  package static let maximumCounter: UInt64 = 1 << 40
  private static let headerSize = GossipPacket.prefixSize + SealedHeader.size
  private static let tagSize = 16
  private static let prefix = GossipPacket.magic + [GossipPacket.formatVersion, 1, 0, 0]

  package let peer: HostID
  package let peerBoot: Boot
  private let own: SealingEnd
  private let outbound: DirectionKey
  private let inbound: DirectionKey
  private var nextCounter: UInt64
  private var window = ReplayWindow()

  init(
    own: SealingEnd, staticKey: Curve25519.KeyAgreement.PrivateKey, ephemeral: EphemeralKey, peer: PeerKeys,
    firstCounter: UInt64
  ) throws(SealingError) {
    guard peer.host != own.host,
      let sharedStatic = Self.agree(staticKey, peer.staticKey),
      let sharedEphemeral = Self.agree(ephemeral.key, peer.ephemeralKey)
    else { throw .badPeerKey }
    let other = SealingEnd(host: peer.host, boot: peer.boot)
    self.own = own
    self.peer = peer.host
    peerBoot = peer.boot
    outbound = DirectionKey(
      sharedStatic: sharedStatic, sharedEphemeral: sharedEphemeral, sender: own, receiver: other)
    inbound = DirectionKey(sharedStatic: sharedStatic, sharedEphemeral: sharedEphemeral, sender: other, receiver: own)
    nextCounter = firstCounter
  }

  /// The whole datagram for `plaintext`, at most `GossipPacket.maximumPlaintext` bytes.
  package func seal(_ plaintext: [UInt8]) throws(SealingError) -> [UInt8] {
    guard plaintext.count <= GossipPacket.maximumPlaintext else { throw .tooLong }
    guard nextCounter < Self.maximumCounter else { throw .exhausted }
    let counter = nextCounter
    nextCounter += 1
    var writer = ByteWriter(capacity: Self.headerSize)
    writer.append(Self.prefix)
    SealedHeader(
      sender: own.host, senderBoot: own.boot.nonce, receiverBoot: peerBoot.nonce, counter: counter
    ).encode(into: &writer)
    var datagram = writer.bytes
    do {
      let box = try AES.GCM.seal(
        plaintext, using: outbound.key, nonce: try outbound.nonce(counter), authenticating: datagram)
      datagram.reserveCapacity(Self.headerSize + plaintext.count + Self.tagSize)
      datagram.append(contentsOf: box.ciphertext)
      datagram.append(contentsOf: box.tag)
    } catch {
      // With a key of 32 and a nonce of 12 bytes only a length beyond GCM's bound fails, and that was checked.
      throw .tooLong
    }
    return datagram
  }

  /// The plaintext of a datagram that the peer sealed in these two boots and that has not come before.
  package func open(_ datagram: [UInt8]) throws(SealingError) -> [UInt8] {
    guard datagram.count >= Self.headerSize + Self.tagSize, datagram.count <= GossipPacket.maximumSize,
      datagram.starts(with: Self.prefix), let header = Self.header(of: datagram)
    else { throw .notSealed }
    guard header.sender == peer, header.senderBoot == peerBoot.nonce else { throw .otherSender }
    guard header.receiverBoot == own.boot.nonce else { throw .otherReceiver }
    guard header.counter < Self.maximumCounter, window.accepts(header.counter) else { throw .replayed }
    let tag = datagram.count - Self.tagSize
    let plaintext: [UInt8]
    do {
      let box = try AES.GCM.SealedBox(
        nonce: try inbound.nonce(header.counter), ciphertext: datagram[Self.headerSize..<tag], tag: datagram[tag...])
      plaintext = Array(try AES.GCM.open(box, using: inbound.key, authenticating: datagram[..<Self.headerSize]))
    } catch {
      throw .forged
    }
    window.mark(header.counter)
    return plaintext
  }

  /// nil for a key that is none, and for one of small order, with which the shared secret is zero for everybody.
  private static func agree(_ key: Curve25519.KeyAgreement.PrivateKey, _ peer: [UInt8]) -> SharedSecret? {
    guard let peer = try? Curve25519.KeyAgreement.PublicKey(rawRepresentation: peer),
      let secret = try? key.sharedSecretFromKeyAgreement(with: peer),
      secret.withUnsafeBytes({ $0.reduce(0, |) }) != 0
    else { return nil }
    return secret
  }

  private static func header(of datagram: [UInt8]) -> SealedHeader? {
    var reader = ByteReader(datagram[GossipPacket.prefixSize..<headerSize])
    return try? SealedHeader(from: &reader)
  }
}
