import Wire

@testable import Trust

/// Messages between agents over TLS, and what an agent does with the parts of an honest-looking one.
struct PeerTarget: FuzzTarget {
  private let keys: FixedKeys
  private let world = World(host: 1)

  init() throws { keys = try FixedKeys() }

  func run(_ bytes: [UInt8]) {
    let message: PeerMessage
    do throws(PeerMessageError) { message = try PeerMessage.decode(bytes) } catch {
      _ = error.description
      return
    }
    let encoded = required("a message that was read can be written") { try message.encoded() }
    require(encoded.count <= PeerMessage.maximumSize, "a message that was read is not too long")
    require(try PeerMessage.decode(encoded) == message, "a message is read as it was written")
    var world = world
    switch message {
    case .join(let request), .forwardJoin(let request): join(request)
    case .joined(let answer):
      take(answer.authority)
      _ = try? keys.trust.trust(answer.certificate)
      _ = PoolID(bytes: answer.poolID)
      var registry = world.registry
      for effect in registry.load(poolRecords: answer.poolRecords, floors: [], verify: World.verify) { _ = effect }
    case .sync(let bytes): _ = world.respond(bytes, from: World.host(2))
    case .syncAnswer(let bytes): _ = world.finish(bytes, from: World.host(2))
    case .authority(let authority): take(authority)
    case .refused(let refusal):
      require(refusal.sentence.utf8.count <= Refusal.maximumSentence, "a refusal is short")
    case .fetchAuthority, .ping, .pong, .rekey, .rekeyed: break
    }
  }

  private func join(_ request: JoinRequest) {
    let key = HostPublicKey(x963: request.identityKey)
    var ledger = TokenLedger()
    let outcome = ledger.redeem(
      id: request.tokenID, secret: request.secret, host: key?.hostID ?? World.host(5),
      now: Instant(nanoseconds: 1))
    require(outcome == .unknown, "nobody is let in with a token that was not issued")
  }

  private func take(_ authority: Authority) {
    guard let first = authority.certificates.first else { return }
    _ = try? PoolCA(privateKey: authority.privateKey, certificate: first)
    for certificate in authority.certificates.prefix(8) { _ = try? PoolTrust(rootCertificate: certificate) }
  }

  func seeds() throws -> [[UInt8]] {
    let request = JoinRequest(
      tokenID: Array(0..<16), secret: Array(0..<32), name: "host", identityKey: keys.identity.publicKey.x963,
      release: "1")
    let authority = Authority(
      generation: 2, privateKey: keys.ca.privateKey, certificates: [keys.ca.certificate, keys.ca.certificate])
    let answer = JoinAnswer(
      certificate: keys.certificate, authority: authority, poolName: "east", poolID: keys.ca.pool.bytes,
      poolRecords: Seeds.records().map(\.bytes),
      seeds: [
        Endpoint(address: .v4(0xc000_0201), port: 7677),
        Endpoint(address: .v6(high: 0x2001_0db8 << 32, low: 1), port: 7677),
      ])
    let messages: [PeerMessage] = [
      .join(request), .forwardJoin(request), .joined(answer), .sync(world.registry.syncRequest(to: World.host(2))),
      .syncAnswer([1]), .fetchAuthority(certificateHash: keys.ca.fingerprint.bytes), .authority(authority),
      .ping, .pong, .rekey, .rekeyed(epoch: 3), .refused(Refusal(.tokenUsed, "used")),
    ]
    return try messages.map { try $0.encoded() }
  }
}
