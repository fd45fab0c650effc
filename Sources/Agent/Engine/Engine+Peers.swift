import Membership
import Registry
import Trust
import Wire

// What other hosts ask over TLS, and what comes back from errands.
extension Engine: PeerService {
  package func respond(to request: [UInt8], from principal: PeerPrincipal) async -> [UInt8] {
    let answer: PeerMessage
    do {
      answer = await respond(to: try PeerMessage.decode(request), from: principal)
    } catch {
      answer = .refused(.init(.notUnderstood, "\(error)"))
    }
    do { return try answer.encoded() } catch {
      log.error("an answer to another host could not be made: \(error)")
      return []
    }
  }

  private func respond(to request: PeerMessage, from principal: PeerPrincipal) async -> PeerMessage {
    guard let node else {
      if phase == .unjoined {
        return .refused(.init(.notJoined, "That host is in no pool itself: run `weft pool init` on it first."))
      }
      return .refused(.init(.busy, "The agent there is just starting or stopping: try again in a moment."))
    }
    switch (principal, request) {
    case (.stranger(let key), .join(let join)): return await admit(join, key: key, mayForward: true)
    case (.stranger, _):
      return .refused(.init(.notMember, "This host is not in the pool: run `weft pool join` on it with a token."))
    case (.member, .forwardJoin(let join)):
      guard let key = HostPublicKey(x963: join.identityKey) else {
        return .refused(.init(.notUnderstood, "The join request names no valid key."))
      }
      return await admit(join, key: key, mayForward: false)
    case (.member, .join):
      return .refused(.init(.failed, "This host is in the pool already."))
    case (.member(let host), .sync(let bytes)):
      return .syncAnswer(node.syncRequested(bytes, by: host))
    case (.member, .fetchAuthority(let hash)):
      guard let ca = node.ca, ca.fingerprint.bytes == hash else {
        return .refused(.init(.unknownAuthority, "This host does not have that CA's key."))
      }
      return .authority(authority(ca, node))
    case (.member, .ping): return .pong
    case (.member, .rekey):
      guard let epoch = node.rekeyed(Reactor.now()) else {
        return .refused(.init(.failed, "This host has no keys of the data path: look at `weft doctor` there."))
      }
      return .rekeyed(epoch: epoch)
    case (.member, _): return .refused(.init(.notUnderstood, "That is an answer, not a request."))
    }
  }

  package func refused(_ refusal: PeerRefusal) async {
    tell(Event(kind: "hostRefused", message: "\(refusal)"))
  }

  // MARK: Admission

  private func admit(_ join: JoinRequest, key: HostPublicKey, mayForward: Bool) async -> PeerMessage {
    guard let node else { return .refused(.init(.notJoined, "That host has left its pool.")) }
    guard join.identityKey == key.x963 else {
      return .refused(.init(.failed, "The join request names another key than the connection."))
    }
    guard !node.isGone(key.hostID) else {
      return .refused(
        .init(.evicted, "This host left this pool or was evicted: run `weft pool leave` on it, then join anew."))
    }
    guard let name = try? HostName(join.name) else {
      return .refused(.init(.failed, "The host's name is not one that a pool can use: set it with --name."))
    }
    if let holder = node.holder(of: name, besides: key.hostID) {
      return .refused(
        .init(.nameTaken, "Host \(holder) of the pool has the name \(name) already: start weftd with another --name."))
    }
    let now = Reactor.now()
    let outcome = ledger.redeem(id: join.tokenID, secret: join.secret, host: key.hostID, now: now)
    if outcome == .unknown, mayForward {
      // Anybody can name a token: what that costs the other hosts is bounded.
      guard forwardLimit.allows(0, now: now) else {
        return .refused(.init(.busy, "Too many joins come at once: try again in a few seconds."))
      }
      return await forward(join)
    }
    if outcome == .accepted || outcome == .wrongSecret { files.write(.tokens, ledger.encoded(now: now)) }
    do throws(any Error) {
      guard outcome.admits else {
        if forwardLimit.allows(1, now: now) {
          tell(Event(kind: "joinRefused", message: "Host \(name) was not let in: \(outcome)"))
        }
        return .refused(.init(outcome.code, outcome.description))
      }
      let answer = try admit(key, name: name, node: node, now: now)
      // The use of the token and the admission have to be on disk before the certificate leaves.
      try await files.flush()
      return .joined(answer)
    } catch {
      log.error("join of \(name) failed: \(error)")
      return .refused(.init(.failed, "The host could not be admitted: \(error)"))
    }
  }

  private func admit(_ key: HostPublicKey, name: HostName, node: Node, now: Instant) throws -> JoinAnswer {
    guard let ca = node.ca else { throw AdmissionError.noAuthority }
    let certificate = try ca.issue(for: key)
    node.perform(
      try node.registry.admit(key.hostID, certificate: certificate, now: now, sign: identity.sign), now: now)
    node.endTurn(now)
    tell(Event(kind: "hostAdmitted", message: "Host \(name) was admitted to the pool.", host: name.text))
    let seeds =
      [endpoint] + node.membership.members.filter { $0.state == .alive }.compactMap { node.endpoint(of: $0.host) }
    return JoinAnswer(
      certificate: certificate, authority: authority(ca, node), poolName: node.trust.poolName,
      poolID: node.trust.pool.bytes, poolRecords: node.registry.poolRecords, seeds: seeds)
  }

  private func authority(_ ca: PoolCA, _ node: Node) -> Authority {
    Authority(
      generation: UInt64(node.trust.caCertificates.count), privateKey: ca.privateKey,
      certificates: node.trust.caCertificates)
  }

  /// The token is not this host's: its issuer is one of the others.
  private func forward(_ join: JoinRequest) async -> PeerMessage {
    guard let node, let request = try? PeerMessage.forwardJoin(join).encoded() else {
      return .refused(.init(.failed, "The join request cannot be passed on."))
    }
    let others = node.membership.members.filter { $0.state == .alive || $0.state == .suspect }
    let endpoints = others.compactMap { node.endpoint(of: $0.host) }
    let credentials = credentials.current
    let local = endpoint.address
    var answers: [PeerMessage] = []
    await withTaskGroup(of: PeerMessage?.self) { group in
      for endpoint in endpoints {
        group.addTask {
          guard
            let response = try? await PeerClient.call(
              endpoint, from: local, credentials: credentials, expecting: .anyMember, request: request,
              timeout: .seconds(5))
          else { return nil }
          return try? PeerMessage.decode(response)
        }
      }
      for await answer in group { if let answer { answers.append(answer) } }
    }
    if let joined = answers.first(where: { if case .joined = $0 { true } else { false } }) { return joined }
    let definite = answers.first { answer in
      if case .refused(let refusal) = answer { refusal.code != .tokenUnknown } else { false }
    }
    if let definite { return definite }
    if answers.count < node.registry.hosts.filter({ $0.standing == .member }).count - 1 {
      return .refused(
        .init(
          .issuerUnreachable,
          "The host that made this token cannot be reached now: try again when it is back, or make another token with `weft pool invite`."
        ))
    }
    return .refused(.init(.tokenUnknown, TokenOutcome.unknown.description))
  }

  // MARK: Errands

  func syncRequest(to host: HostID) -> [UInt8]? { node?.syncRequest(to: host) }

  func syncAnswered(_ response: [UInt8], by host: HostID) -> [UInt8]? { node?.syncAnswered(response, by: host) }

  func syncFailed(_ host: HostID, _ reason: String, isRefusal: Bool) {
    node?.syncFailed(host, reason, isRefusal: isRefusal)
  }

  func probed(_ host: HostID, sequence: UInt32, _ outcome: Membership.TCPProbeOutcome) {
    node?.probed(host, sequence: sequence, outcome)
  }

  func diskFailed(_ sentence: String) {
    log.error("\(sentence)")
    tell(Event(kind: "diskError", message: sentence))
  }

  /// The CA whose key this host lacks; nil if it has what it needs.
  func wantedAuthority() -> Fingerprint? {
    guard let node, node.ca == nil else { return nil }
    return node.trust.currentCA
  }

  /// The key of the present CA came: from now on this host admits again, and shows a certificate of that CA itself.
  ///
  /// - Returns: whether it was the one that is wanted.
  func take(_ authority: Authority) -> Bool {
    guard let node, let wanted = wantedAuthority(), let certificate = node.trust.caCertificate(wanted),
      let ca = try? PoolCA(privateKey: authority.privateKey, certificate: certificate)
    else { return false }
    do {
      keep(ca, node)
      let now = Reactor.now()
      try takeCertificate(try ca.issue(for: identity.publicKey), now: now)
      node.endTurn(now)
      tell(Event(kind: "authorityTaken", message: "This host has the pool's new CA and a certificate of it."))
    } catch {
      diskFailed("\(error)")
    }
    return true
  }
}

private enum AdmissionError: Error, CustomStringConvertible {
  case noAuthority

  var description: String { "the pool's new CA key is still on its way to that host; try again in a few seconds." }
}

extension TokenOutcome {
  fileprivate var code: Refusal.Code {
    switch self {
    case .accepted, .repeated: .failed
    case .usedUp: .tokenUsed
    case .expired: .tokenExpired
    case .unknown, .wrongSecret, .locked: .tokenUnknown
    }
  }
}
