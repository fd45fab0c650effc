import Control
import Registry
import Trust
import Wire

// Making, joining and leaving a pool.
extension Engine {
  package func initPool(_ request: API.InitPool) async throws -> API.PoolStatus {
    try beginPoolChange()
    defer { isChangingPool = false }
    let poolName = request.name ?? "pool-\(name.text)"
    let ca: PoolCA
    do { ca = try PoolCA(poolName: poolName, pool: .random()) } catch { throw APIError(.invalid, "\(error)") }
    let papers = Node.Papers(
      trust: try PoolTrust(rootCertificate: ca.certificate),
      certificates: OwnCertificates(try ca.issue(for: identity.publicKey)), authorities: [ca], poolRecords: [],
      floors: [], ownStatements: [], peers: [])
    try await enter(papers)
    try await files.flush()
    tell(Event(kind: "poolMade", message: "Pool \(poolName) was made; this is its first host."))
    return poolStatus()
  }

  package func invite(_ request: API.Invite) async throws -> API.Invitation {
    let node = try member()
    guard node.trust.currentCA != nil else {
      throw APIError(
        .unavailable,
        "Two evictions at once left the pool without a CA: evict any host that is gone for good, which makes a new one."
      )
    }
    guard let ca = node.ca else {
      throw APIError(
        .unavailable, "The pool's new CA key is still on its way to this host: try again in a few seconds.")
    }
    let ttl = request.ttl ?? 3600
    let uses = request.uses ?? 1
    guard (1...30 * 86_400).contains(ttl) else { throw APIError(.invalid, "\(TokenIssueError.lifetime)") }
    let now = Reactor.now()
    let issued: (id: [UInt8], secret: [UInt8])
    do {
      issued = try ledger.issue(lifetime: .seconds(ttl), uses: uses, now: now)
    } catch {
      throw APIError(.invalid, "\(error)")
    }
    files.write(.tokens, ledger.encoded(now: now))
    try await files.flush()
    let others = node.membership.members.filter { $0.state == .alive }.compactMap { node.endpoint(of: $0.host) }
    guard
      let token = JoinToken(endpoints: [endpoint] + others, pin: ca.fingerprint, id: issued.id, secret: issued.secret)
    else { throw APIError(.internal, "The token could not be made: try again.") }
    return API.Invitation(token: token.text, ttl: ttl, uses: uses)
  }

  package func joinPool(_ request: API.JoinPool) async throws -> API.PoolStatus {
    try beginPoolChange()
    defer { isChangingPool = false }
    let token: JoinToken
    do { token = try JoinToken(text: request.token) } catch { throw APIError(.invalid, "\(error)") }
    guard let target = Endpoint(request.address, defaultPort: settings.port) else {
      throw APIError(
        .invalid,
        "'\(request.address.prefix(80))' is not an address: pass that of a host of the pool, as ADDR or ADDR:PORT.")
    }
    guard target.address.isUnicast, !target.address.isLinkLocal else {
      throw APIError(
        .invalid, "\(target.address) cannot be joined at: pass the underlay address of a host of the pool.")
    }
    guard target.address.isV6 == endpoint.address.isV6 else {
      let (own, other) = endpoint.address.isV6 ? ("IPv6", "IPv4") : ("IPv4", "IPv6")
      throw APIError(
        .invalid,
        "The underlay of this host is \(own) (\(endpoint.address)) and \(target.address) is \(other), and the hosts of a pool need underlays of one kind: start weftd with an \(other) address in --underlay, or pass an \(own) address of the pool."
      )
    }
    let answer = try await askToJoin(target, token)
    let papers = try judge(answer, seed: target)
    try await enter(papers)
    tell(Event(kind: "poolJoined", message: "This host joined pool \(papers.trust.poolName)."))
    // The command is done when this host knows what the pool knows.
    if let node {
      await wait(node, until: Reactor.now() + .seconds(15)) { [weak node] in node?.isSynced ?? true }
    }
    guard let node, node.isSynced else {
      throw APIError(
        .timeout,
        "This host was admitted to pool \(papers.trust.poolName), but hears no host of it yet: check that port \(settings.port) is open for UDP and TCP both ways; it goes on trying."
      )
    }
    try await files.flush()
    return poolStatus()
  }

  /// Presents the token at the address that the admin named.
  private func askToJoin(_ target: Endpoint, _ token: JoinToken) async throws -> JoinAnswer {
    let message = PeerMessage.join(
      JoinRequest(
        tokenID: token.id, secret: token.secret, name: name.text, identityKey: identity.publicKey.x963,
        release: Agent.release))
    let response: [UInt8]
    do {
      response = try await PeerClient.call(
        target, from: endpoint.address, credentials: credentials.current, expecting: .pinnedCA(token.pin),
        request: try message.encoded(), timeout: .seconds(20))
    } catch let error as PeerClientError {
      throw APIError(.refused, "\(error)")
    }
    switch try PeerMessage.decode(response) {
    case .joined(let answer): return answer
    case .refused(let refusal): throw APIError(.refused, refusal.sentence)
    default: throw APIError(.refused, "The host at \(target) gave an answer that does not fit: is it the same release?")
    }
  }

  /// Checks all of an answer before anything of it is kept.
  private func judge(_ answer: JoinAnswer, seed: Endpoint) throws -> Node.Papers {
    do {
      guard let root = answer.authority.certificates.first else { throw PoolCAError.notAuthority }
      // The answer came from a host that the token vouches for, so its word on evictions is taken first: the signatures
      // of all records, those of the evictions among them, are then checked by the CAs that came of them.
      let nobody = Boot(counter: 0, nonce: 0)
      var unchecked = Registry(host: identity.hostID, boot: nobody, seed: 0)
      _ = unchecked.load(poolRecords: answer.poolRecords, floors: []) { _, _, _, _ in true }
      var trust = try PoolTrust(rootCertificate: root)
      _ = trust.adopt(unchecked.revocations.map(\.payload))
      let keyring = Keyring(trust: trust)
      var records = Registry(host: identity.hostID, boot: nobody, seed: 0)
      _ = records.load(poolRecords: answer.poolRecords, floors: []) { author, certificate, message, signature in
        keyring.verify(author, certificate: certificate, message: message, signature: signature)
      }
      _ = trust.adopt(records.revocations.map(\.payload))
      let own = try trust.trust(answer.certificate)
      guard own.id == identity.hostID else { throw TLSCredentialsError.otherHost(own.id) }
      guard let signer = trust.currentCA.flatMap({ trust.caCertificate($0) }) else { throw PoolCAError.notAuthority }
      let ca = try PoolCA(privateKey: answer.authority.privateKey, certificate: signer)
      return Node.Papers(
        trust: trust, certificates: OwnCertificates(answer.certificate), authorities: [ca],
        poolRecords: answer.poolRecords, floors: [], ownStatements: [], peers: [], seeds: [seed] + answer.seeds)
    } catch let error as APIError {
      throw error
    } catch {
      throw APIError(.refused, "The host at \(seed) answered, but not as this pool would: \(error)")
    }
  }

  /// Makes this host a member: first on disk, with the certificate as the last and deciding file, then at work.
  private func enter(_ papers: Node.Papers) async throws {
    let credentials = try TLSCredentials(member: identity, certificates: papers.certificates, trust: papers.trust)
    try Transit.joining.begin(state)
    files.write(.trust, papers.trust.encoded)
    files.write(.authority, AuthorityFile.encode(papers.authorities))
    files.write(.poolRecords, RecordFile.encode(papers.poolRecords))
    files.write(.peers, PeerAddress.encode(papers.peers, seeds: papers.seeds))
    files.write(.certificate, papers.certificates.encoded)
    try await files.flush()
    try Transit.end(state)
    guard phase == .unjoined else { throw APIError(.unavailable, "\(StateQueueError.stopped)") }
    self.credentials.replace(with: credentials)
    try startNode(papers, above: nil)
  }

  package func leavePool() async throws {
    let node = try member()
    guard !isChangingPool else { throw Self.busy }
    isChangingPool = true
    defer { isChangingPool = false }
    let now = Reactor.now()
    if node.registry.hostView(identity.hostID)?.standing == .member {
      node.perform(node.membership.leave(now: now), now: now)
      node.perform(try node.registry.recordLeft(identity.hostID, now: now, sign: identity.sign), now: now)
      node.endTurn(now)
      // The word has to be out before the keys are gone; repetitions need a moment.
      await wait(node, until: now + .seconds(1)) { false }
    }
    guard phase == .member else { throw APIError(.unavailable, "\(StateQueueError.stopped)") }
    node.stop()
    self.node = nil
    becomeUnjoined()
    let failures = kernel.removeAll()
    try await forgetPool()
    for failure in failures { tell(Event(kind: "kernelError", message: failure)) }
    log.info("left the pool")
  }

  /// Removes everything of the pool from the disk; the certificate goes first, so that a crash in between leaves a host
  /// in no pool. The identity goes too: a host that left stays left.
  private func forgetPool() async throws {
    // What was given to the queue must not come after the removal.
    do { try await files.flush() } catch { log.error("\(error)") }
    try Transit.leaving.begin(state)
    try Transit.finish(state)
    guard let bytes = try state.read(.identity) else { throw SavedStateError.missing(.identity, in: state.path) }
    identity = try HostIdentity(encoded: bytes)
    ledger = TokenLedger()
    credentials.replace(with: try TLSCredentials(stranger: identity))
  }

  package func evictHost(_ reference: String) async throws -> API.Host {
    let node = try member()
    let view = try node.findHost(reference)
    guard view.id != identity.hostID else {
      throw APIError(
        .conflict, "A host does not evict itself: run `weft pool leave` here, or evict it from another host.")
    }
    guard view.standing == .member else {
      throw APIError(.conflict, "Host \(node.name(of: view.id)) is in the pool no more: there is nothing to evict.")
    }
    let now = Reactor.now()
    let members = node.registry.hosts.filter { $0.standing == .member && $0.id != view.id }.map(\.id)
    var trust = node.trust
    let (ca, record) = try trust.evict(view.id, members: members)
    let certificate = try ca.issue(for: identity.publicKey)
    keep(ca, node)
    ledger.removeAll()
    files.write(.tokens, ledger.encoded(now: now))
    let name = node.name(of: view.id)
    node.perform(
      try node.registry.revoke(view.id, payload: record, now: now, sign: identity.sign), now: now)
    node.takePoolRecords(now)
    try takeCertificate(certificate, now: now)
    node.endTurn(now)
    try await files.flush()
    tell(Event(kind: "hostEvicted", message: "Host \(name) was evicted; the pool has a new CA.", host: name))
    var evicted = node.view(of: try node.findHost(view.id.description))
    evicted.name = name
    return evicted
  }

  /// A certificate of the present CA for this host itself, told to the pool.
  func takeCertificate(_ certificate: [UInt8], now: Instant) throws {
    guard let node else { return }
    node.certificates.add(certificate)
    files.write(.certificate, node.certificates.encoded)
    node.perform(
      try node.registry.admit(identity.hostID, certificate: certificate, now: now, sign: identity.sign), now: now)
    credentials.replace(
      with: try TLSCredentials(member: identity, certificates: node.certificates, trust: node.trust))
  }

  /// Keeps the key of a CA that this host made or was handed.
  func keep(_ ca: PoolCA, _ node: Node) {
    node.authorities.removeAll { $0.fingerprint == ca.fingerprint }
    node.authorities.insert(ca, at: 0)
    files.write(.authority, AuthorityFile.encode(node.authorities))
  }

  private func beginPoolChange() throws {
    guard phase == .unjoined else {
      guard phase == .member else { throw Self.notReady }
      throw APIError(
        .conflict,
        "This host is in pool \(node?.trust.poolName ?? "") already: run `weft pool leave` here first if it should change."
      )
    }
    guard !isChangingPool else { throw Self.busy }
    isChangingPool = true
  }

  private static let busy = APIError(
    .conflict, "Another command is making this host join or leave: wait until it is done.")

  private static let notReady = APIError(.unavailable, "weftd is just starting or stopping: try again in a moment.")

  func member() throws -> Node {
    guard let node else {
      guard phase == .unjoined else { throw Self.notReady }
      throw APIError(.conflict, "This host is in no pool: run `weft pool init` here, or `weft pool join` with a token.")
    }
    return node
  }
}
