import Wire

@testable import Registry
@testable import Trust

/// Datagrams as they come from the network, before anything is known of their sender: the outer form, a hello's
/// certificate and host record, a sealed packet that nobody sealed.
struct DatagramTarget: FuzzTarget {
  private let keys: FixedKeys
  private let world = World(host: 1)
  private let session: PairSession

  init() throws {
    keys = try FixedKeys()
    let own = Sealer(identity: keys.identity, boot: World.boot(1))
    session = try own.session(with: Sealer(identity: HostIdentity(), boot: World.boot(2)).publicKeys)
  }

  func run(_ bytes: [UInt8]) {
    let packet: GossipPacket
    do throws(WireError) { packet = try GossipPacket.decode(bytes) } catch { return }
    let encoded = packet.encoded()
    require(encoded.count <= GossipPacket.maximumSize, "a datagram that was read fits a datagram")
    require(try GossipPacket.decode(encoded) == packet, "a datagram is read as it was written")
    switch packet {
    case .sealed: require((try? session.open(bytes)) == nil, "what nobody sealed is not opened")
    case .who: break
    case .hello(let hello): take(hello)
    }
  }

  private func take(_ hello: Hello) {
    RecordForms.checkBatch(hello.hostRecord)
    do throws(TrustError) {
      let host = try keys.trust.trust(hello.certificate)
      require(host.id == keys.identity.hostID, "a host that the CA never saw is not trusted")
      var registry = world.registry
      let effects = try? registry.hello(hostRecordBatch: hello.hostRecord, from: host.id, now: world.now) {
        author, _, message, signature in author == host.id && host.key.verify(signature, of: message)
      }
      if effects != nil { require(registry.sealingKeys(of: host.id) != nil, "a hello that was taken brings keys") }
    } catch {
      _ = error.description
    }
    var world = world
    world.hello(hello.hostRecord, from: World.host(2))
    world.pass(.seconds(1))
  }

  func seeds() throws -> [[UInt8]] {
    var statements = OwnStatements(owner: keys.identity.hostID, boot: World.boot(1))
    statements.set(.host, World.record(5).bytes)
    let signed = statements.sign(keys.identity.sign).map(\.bytes)
    let records = signed + Seeds.batches(of: 2, boot: 2).map(\.bytes)
    let who = Who(sender: World.host(2), senderBoot: World.boot(1), target: World.host(1))
    let certificates = [keys.certificate, try CertificateForm.makeStranger(keys.identity), keys.ca.certificate]
    let hellos = certificates.flatMap { certificate in
      records.map { GossipPacket.hello(Hello(certificate: certificate, hostRecord: $0, wantsReply: true)) }
    }
    return [GossipPacket.who(who).encoded(), try session.seal([1, 2, 3])] + hellos.map { $0.encoded() }
  }
}
