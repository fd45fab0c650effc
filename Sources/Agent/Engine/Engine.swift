import Control
import Logging
import Registry
import Trust
import Wire

/// The agent of one host. An actor whose executor is the reactor's thread: what it and its `Node` hold is touched there
/// and nowhere else, so descriptors, timers, the API and the calls of other hosts all take turns.
package actor Engine {
  nonisolated let reactor: Reactor
  package nonisolated var unownedExecutor: UnownedSerialExecutor { reactor.asUnownedSerialExecutor() }

  let settings: Settings
  let name: HostName
  let log: Logger
  let state: StateDirectory
  /// Held for as long as this agent lives.
  private let lock: InstanceLock
  /// What this host shows and accepts in TLS, replaced by join, leave and eviction.
  nonisolated let credentials: PeerCredentials
  /// Where other hosts reach this one, which the server of join and sync follows.
  nonisolated let listening: ListeningEndpoint
  nonisolated var endpoint: Endpoint { listening.current }
  private let errands: AsyncStream<Errand>.Continuation
  nonisolated let files: StateQueue
  /// Why this run cannot go on; the next one can.
  nonisolated let failures: AsyncStream<EngineFailure>
  private let fail: AsyncStream<EngineFailure>.Continuation
  let kernel: KernelSide
  let socket: GossipSocket
  var identity: HostIdentity
  var ledger: TokenLedger
  /// The host as a member; nil in the other phases.
  var node: Node?
  private(set) var phase = Phase.starting
  private var events = EventLog()
  private var followers: [UInt64: AsyncStream<API.Event>.Continuation] = [:]
  private var nextFollower: UInt64 = 0
  /// What strangers can make this host do for a join: 0 asking the other hosts, 1 a line in the events.
  var forwardLimit = RateLimit<Int>(burst: 20, interval: .milliseconds(500))
  /// Why the gossip port cannot be had at the underlay's new address.
  private(set) var listenFailure: String?
  var pathSocketNotice = FailureNotice()
  var espInUDPNotice = FailureNotice()
  /// One command that changes whether this host is in a pool at a time.
  var isChangingPool = false

  /// Opens everything that a start can fail on: state, kernel, port. Nothing of the system is changed before all of it
  /// was found good.
  init(
    settings: Settings, name: HostName, state: StateDirectory, reactor: Reactor, files: StateQueue,
    errands: AsyncStream<Errand>.Continuation, log: Logger
  ) async throws {
    let lock = try InstanceLock(state, socket: settings.socket)
    try MachineBinding.current().check(state)
    let kernel = try KernelSide(underlay: settings.underlay, dataPlane: settings.dataPlane, queues: settings.queues)
    let endpoint = Endpoint(address: kernel.underlay.address, port: settings.port)
    let socket = try GossipSocket(binding: endpoint)
    // Last, as it draws a boot: a start that fails again and again writes none.
    let saved = try SavedState(state)
    self.lock = lock
    self.settings = settings
    self.name = name
    self.state = state
    self.reactor = reactor
    self.errands = errands
    self.files = files
    (failures, fail) = AsyncStream.makeStream(of: EngineFailure.self)
    self.log = log
    self.kernel = kernel
    self.socket = socket
    listening = ListeningEndpoint(endpoint)
    identity = saved.identity
    unusedBoot = saved.boot
    ledger = saved.ledger
    credentials = PeerCredentials(try Self.credentials(saved.identity, saved.papers, log))
    papersAtStart = saved.papers
  }

  /// A member whose certificates the pool trusts no more runs on as a stranger: it can still leave.
  private static func credentials(
    _ identity: HostIdentity, _ papers: Node.Papers?, _ log: Logger
  ) throws(TLSCredentialsError) -> TLSCredentials {
    guard let papers else { return try TLSCredentials(stranger: identity) }
    do {
      return try TLSCredentials(member: identity, certificates: papers.certificates, trust: papers.trust)
    } catch {
      log.error("\(error)")
      return try TLSCredentials(stranger: identity)
    }
  }

  /// Where this host is in its life.
  enum Phase {
    case starting
    case unjoined
    case member
    case stopped
  }

  private var papersAtStart: Node.Papers?
  var unusedBoot: Boot?

  /// Goes to work: with a pool as its member, without one waiting for `pool init` or `pool join`.
  func start() throws {
    try reactor.watch(lock.fileDescriptor, for: .read) { [lock] in lock.answer() }
    tryKernelSoon()
    log.info("weftd \(Agent.release)", metadata: ["host": "\(identity.hostID)", "underlay": "\(endpoint)"])
    tellChoice()
    guard let papers = papersAtStart else {
      log.info("in no pool yet: run `weft pool init` here, or `weft pool join` with a token")
      becomeUnjoined()
      return
    }
    papersAtStart = nil
    try startNode(papers, above: nil)
  }

  /// Stops listening; what stands in the kernel goes on forwarding.
  func stop() {
    phase = .stopped
    if let node {
      files.write(.statements, node.papers.ownStatements)
      node.stop()
    }
    node = nil
    stopListeningForESPInUDP()
    files.finish()
    for follower in followers.values { follower.finish() }
    followers = [:]
    errands.finish()
  }

  func send(_ errand: Errand) { errands.yield(errand) }

  /// Ends the threads of the packet path. TAPs and bridges stay, and so does what the kernel carries.
  func stopCarrying() { kernel.userPath?.path.stop() }

  /// The boot drawn at start serves the first node; each further one draws its own.
  private func takeBoot(above known: Boot?) throws -> Boot {
    defer { unusedBoot = nil }
    if let boot = unusedBoot, known == nil { return boot }
    return try BootCounter.advance(state, past: known?.counter ?? 0)
  }

  // MARK: The node

  /// Makes the node for a new boot.
  func startNode(_ papers: Node.Papers, above known: Boot?) throws {
    let boot = try takeBoot(above: known)
    node?.stop()
    // The host record that the node tells first is to be true.
    _ = followUnderlay()
    let node = Node(
      Node.Surroundings(
        identity: identity, name: name, boot: boot, reactor: reactor, socket: socket, kernel: kernel,
        port: settings.port, log: log,
        tell: { [weak self] event in self?.assumeIsolated { $0.tell(event) } },
        send: { [errands] errand in errands.yield(errand) },
        restart: { [weak self] boot in self?.assumeIsolated { $0.restartLater(above: boot) } },
        trustChanged: { [weak self] in self?.assumeIsolated { $0.trustChanged() } },
        followUnderlay: { [weak self] in self?.assumeIsolated { $0.followUnderlay() } }, files: files),
      papers: papers, now: Reactor.now())
    self.node = node
    phase = .member
    node.start(papers, now: Reactor.now())
  }

  /// Not in the middle of the old node's turn: at the next one.
  private func restartLater(above boot: Boot) {
    reactor.schedule(at: Reactor.now()) { [weak self] in self?.assumeIsolated { $0.restart(above: boot) } }
  }

  private func restart(above boot: Boot) {
    guard let old = node, old.boot <= boot, !isChangingPool else { return }
    log.warning("this host's boot \(boot) is known to others: starting anew above it")
    do { try startNode(old.papers, above: boot) } catch { fail.yield(EngineFailure(sentence: "\(error)")) }
  }

  /// An eviction changed whom this host trusts.
  private func trustChanged() {
    guard let node else { return }
    do {
      credentials.replace(
        with: try TLSCredentials(member: identity, certificates: node.certificates, trust: node.trust))
    } catch {
      log.error("\(error)")
    }
  }

  /// The last step out of a pool, and the first state of a host that is in none.
  func becomeUnjoined() {
    phase = .unjoined
    watchUnderlay()
  }

  // MARK: Events

  func tell(_ event: Event) {
    log.info("\(event.message)", metadata: ["event": "\(event.kind)"])
    let entry = events.append(event, time: WallClock.now())
    for (number, follower) in followers {
      // A reader that went away is noticed at the next event.
      if case .terminated = follower.yield(entry) { followers[number] = nil }
    }
  }

  func pastEvents(after id: UInt64?) -> [API.Event] { events.after(id ?? 0) }

  func follow(after id: UInt64?) -> AsyncStream<API.Event> {
    let (stream, continuation) = AsyncStream.makeStream(of: API.Event.self, bufferingPolicy: .bufferingNewest(4096))
    let number = nextFollower
    nextFollower += 1
    followers[number] = continuation
    for event in events.after(id ?? 0) { continuation.yield(event) }
    return stream
  }
}

// MARK: - The underlay

extension Engine {
  /// Without a pool no node reads the kernel's events; this host is to be found at its address even so.
  private func watchUnderlay() {
    do {
      try reactor.watch(kernel.monitor.descriptor, for: .read) { [weak self] in
        self?.assumeIsolated { $0.kernelEventsWithoutPool() }
      }
    } catch {
      log.error("\(error)")
    }
    _ = followUnderlay()
  }

  private func kernelEventsWithoutPool() {
    do { while try !kernel.monitor.receive().isEmpty {} } catch {
      // It would be readable for ever. A node opens another one.
      log.error("\(error)")
      reactor.unwatch(kernel.monitor.descriptor)
    }
    _ = followUnderlay()
  }

  /// Looks at the underlay, and moves there what listens if its address is another one.
  ///
  /// - Returns: what changed. Nothing, if the new address cannot be listened on yet: the old one stays in force, and the
  ///   next look tries again.
  private func followUnderlay() -> KernelSide.UnderlayChange? {
    defer { listenForPackets() }
    guard let change = kernel.followUnderlay() else { return nil }
    switch change {
    case .address(let new):
      guard listen(at: new.address) else { return nil }
      let old = kernel.underlay.address
      kernel.take(new)
      tell(
        Event(
          kind: "underlayChanged",
          message: "The underlay address of this host changed from \(old) to \(new.address) on \(new.name)."))
    case .gone(let sentence):
      tell(Event(kind: "underlayGone", message: "Other hosts cannot reach this one. \(sentence)"))
    case .back:
      tell(
        Event(
          kind: "underlayChanged", message: "The underlay address \(kernel.underlay.address) is there again."))
    case .mtu(let interface, let mtu):
      tell(Event(kind: "underlayChanged", message: "The MTU of the underlay interface \(interface) changed to \(mtu)."))
    case .other: break
    }
    switch change {
    case .address, .back: reactor.schedule(at: Reactor.now()) { [weak self] in self?.assumeIsolated { $0.announce() } }
    case .gone, .mtu, .other: break
    }
    return change
  }

  /// After the turn that follows the address: telling the neighbours takes some milliseconds.
  private func announce() {
    do { try kernel.network.announce(kernel.underlay) } catch { log.warning("\(error)") }
  }

  private func listen(at address: VTEP) -> Bool {
    let endpoint = Endpoint(address: address, port: settings.port)
    do {
      try socket.move(to: endpoint, leaving: { reactor.unwatch($0) })
    } catch {
      if listenFailure != "\(error)" {
        tell(Event(kind: "underlayGone", message: "This host cannot go to its new underlay address. \(error)"))
      }
      listenFailure = "\(error)"
      return false
    }
    listenFailure = nil
    listening.move(to: endpoint)
    return true
  }
}

/// Why a run of the agent ends before it was told to. Whatever supervises it starts the next one, which finds in the
/// kernel what this one left there.
struct EngineFailure: Error, CustomStringConvertible {
  let sentence: String

  var description: String { sentence }
}
