import Registry
import Trust
import Wire

// The gossip port: datagrams in, frames to the cores; frames out, sealed.
extension Node {
  /// Takes what has come in one round, then ends the turn once for all of it.
  func gossipReadable() {
    let now = Reactor.now()
    around.socket.receive { bytes, source in receive(bytes, from: source, now: now) }
    endTurn(now)
  }

  private func receive(_ bytes: [UInt8], from source: Endpoint, now: Instant) {
    counters.datagrams += 1
    let packet: GossipPacket
    do { packet = try GossipPacket.decode(bytes) } catch {
      return reject("malformed datagram", "\(error)", from: source)
    }
    switch packet {
    case .sealed(let header, _): open(bytes, header, from: source, now: now)
    case .who(let who): answer(who, from: source, now: now)
    case .hello(let hello): take(hello, from: source, now: now)
    }
  }

  private func open(_ datagram: [UInt8], _ header: SealedHeader, from source: Endpoint, now: Instant) {
    guard header.sender != identity.hostID else { return reject("own packet came back", from: source) }
    guard let session = session(with: header.sender), session.peerBoot.nonce == header.senderBoot else {
      // Unknown, or a boot of it that we have not heard of.
      if isGone(header.sender) {
        return reject("packet of a host that is not in the pool", from: source)
      }
      reject("packet of an unknown host or boot", from: source)
      return ask(header.sender, at: source, now: now)
    }
    do {
      let frames = try GossipFrame.decodeAll(session.open(datagram))
      counters.opened += 1
      apply(frames, from: header.sender, boot: session.peerBoot, now: now)
      heard(header.sender, at: source, now: now)
    } catch SealingError.otherReceiver {
      // It knows an earlier run of this agent: tell it of this one.
      reject("packet for an earlier boot", from: source)
      sendHello(to: source, wantsReply: false, now: now)
    } catch let error as SealingError {
      reject("sealing", "\(error)", from: source)
    } catch {
      reject("malformed frames", "\(error)", from: source)
    }
  }

  private func apply(_ frames: [GossipFrame], from host: HostID, boot: Boot, now: Instant) {
    perform(membership.heard(from: host, boot: boot, now: now), now: now)
    for frame in frames {
      switch frame {
      case .ping, .ack, .pingRequest, .nack, .rumour:
        perform(membership.receive(frame, from: host, boot: boot, now: now), now: now)
      case .advert, .have, .want, .batch, .record, .recordsSeen:
        perform(registry.receive(frame, from: host, now: now, verify: verify), now: now)
      case .standing, .sending: receiveKeys(frame, from: host, boot: boot, now: now)
      }
    }
  }

  /// A host that moved while this one could not hear it is still looked for at its old address, so no answer reaches it.
  /// It is greeted where it is: it answers with its host record, and nothing but that record moves it.
  private func heard(_ host: HostID, at source: Endpoint, now: Instant) {
    guard let known = lastAddresses[host], known != source, roamingLimit.allows(host, now: now) else { return }
    sendHello(to: source, wantsReply: true, now: now)
  }

  // MARK: Who and hello

  /// "Who are you?", at most a few a second per address.
  private func ask(_ host: HostID, at source: Endpoint, now: Instant) {
    guard whoLimit.allows(source.address, isMember: isMemberAddress(source.address), now: now) else { return }
    let who = GossipPacket.who(Who(sender: identity.hostID, senderBoot: boot, target: host))
    around.socket.send([(who.encoded(), source)])
  }

  private func answer(_ who: Who, from source: Endpoint, now: Instant) {
    guard who.target == identity.hostID, who.sender != identity.hostID else { return }
    let known = registry.boot(of: who.sender).map { $0 >= who.senderBoot } ?? false
    sendHello(to: source, wantsReply: !known, now: now)
  }

  /// Tells an address who this host is; at most a few a second per address.
  func sendHello(to target: Endpoint, wantsReply: Bool, now: Instant) {
    guard helloLimit.allows(target.address, isMember: isMemberAddress(target.address), now: now),
      let record = registry.hostRecordBatch
    else { return }
    let hello = GossipPacket.hello(
      Hello(certificate: certificate, hostRecord: record, wantsReply: wantsReply)
    ).encoded()
    guard hello.count <= GossipPacket.maximumSize else { return }
    around.socket.send([(hello, target)])
  }

  private func take(_ hello: Hello, from source: Endpoint, now: Instant) {
    // A signature is dear: bound what one address can make us check.
    guard checkLimit.allows(source.address, isMember: isMemberAddress(source.address), now: now) else { return }
    let host: TrustedHost
    do {
      host = try trust.trust(hello.certificate)
    } catch {
      // Perhaps it is this host that has missed an eviction: over TLS the others show an older certificate too.
      if case .unknownCA(let stranger) = error, let endpoint = endpoint(of: stranger),
        refusalLimit.allows(source.address, isMember: isMemberAddress(source.address), now: now)
      {
        return around.send(.sync(stranger, at: endpoint))
      }
      return refuse("A host at \(source) was not let in. \(error)", from: source, now: now)
    }
    guard host.id != identity.hostID else { return }
    do {
      let effects = try registry.hello(
        hostRecordBatch: hello.hostRecord, from: host.id, now: now,
        verify: { author, _, message, signature in
          author == host.id && host.key.verify(signature, of: message)
        })
      keyring.add(host.key)
      perform(effects, now: now)
    } catch {
      return refuse("The host record of \(host.id) at \(source) was not taken: \(error).", from: source, now: now)
    }
    if hello.wantsReply { sendHello(to: source, wantsReply: false, now: now) }
    perform(membership.add(host.id, lastBoot: registry.boot(of: host.id), now: now), now: now)
    // A hello can be an old one that somebody repeats: whoever sent it has to answer a ping.
    perform(membership.greeted(host.id, boot: registry.boot(of: host.id), now: now), now: now)
  }

  // MARK: Out

  /// Seals what the turn has to send, one packet or more to each receiver, and hands all to the kernel at once.
  func sendOutbox(_ now: Instant) {
    guard !outbox.isEmpty else { return }
    var datagrams: [(bytes: [UInt8], to: Endpoint)] = []
    for (host, frames) in outbox.take() {
      guard let endpoint = endpoint(of: host) else { continue }
      guard let session = session(with: host) else {
        sendHello(to: endpoint, wantsReply: true, now: now)
        continue
      }
      for plaintext in Outbox.pack(frames) {
        do {
          datagrams.append((try session.seal(plaintext), endpoint))
        } catch {
          reject("sealing", "\(error)", from: endpoint)
        }
      }
    }
    around.socket.send(datagrams)
  }

  /// The session for the host's present boot; nil if its keys are not known.
  private func session(with host: HostID) -> PairSession? {
    guard let peer = registry.sealingKeys(of: host), !isGone(host) else { return nil }
    if let session = sessions[host], session.peerBoot == peer.boot { return session }
    let made = try? sealer.session(
      with: PeerKeys(host: host, boot: peer.boot, staticKey: peer.staticKey, ephemeralKey: peer.ephemeralKey))
    sessions[host] = made
    return made
  }
}
