import Crypto
import Wire

/// One run of a host's agent, as the key derivation names it.
struct SealingEnd: Hashable, Sendable {
  let host: HostID
  let boot: Boot
}

/// The key and salt of one direction between two boots of two hosts.
///
/// HKDF-SHA256 (RFC 5869) without salt; the key material is X25519(static, static) and X25519(ephemeral, ephemeral),
/// each 32 bytes; the info is `weft gossip 1`, the sender's ID and boot, the receiver's ID and boot. 36 bytes come out:
/// an AES-256-GCM key and, as in RFC 4106, 4 bytes that start every nonce; the counter of the packet is the rest.
struct DirectionKey {
  private static let label = Array("weft gossip 1".utf8)

  let key: SymmetricKey
  let salt: [UInt8]

  init(sharedStatic: SharedSecret, sharedEphemeral: SharedSecret, sender: SealingEnd, receiver: SealingEnd) {
    var info = ByteWriter()
    info.append(Self.label)
    for end in [sender, receiver] {
      info.append(end.host)
      info.append(end.boot)
    }
    let material = sharedStatic.withUnsafeBytes { Array($0) } + sharedEphemeral.withUnsafeBytes { Array($0) }
    let output = HKDF<SHA256>.deriveKey(
      inputKeyMaterial: SymmetricKey(data: material), info: info.bytes, outputByteCount: 36
    ).withUnsafeBytes { Array($0) }
    key = SymmetricKey(data: output[..<32])
    salt = Array(output[32...])
  }

  func nonce(_ counter: UInt64) throws -> AES.GCM.Nonce {
    var writer = ByteWriter(capacity: 12)
    writer.append(salt)
    writer.append(counter)
    return try AES.GCM.Nonce(data: writer.bytes)
  }
}
