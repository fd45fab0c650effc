import Logging
import Membership
import Registry
import Trust
import Wire

/// A host as a member of its pool: the cores, and the shells that feed them and carry out what they say.
///
/// It belongs to the engine's thread, which it never leaves: descriptors and timers call it there. What takes time (TLS,
/// files that can wait) goes out as an `Errand` and comes back by a call of the engine.
///
/// Every input ends with `endTurn`: what changed here is signed and addressed, the outbox is sealed and sent, FDB
/// entries that changed are in the kernel already, networks that changed are set right.
final class Node {
  struct Counters {
    var datagrams: UInt64 = 0
    var opened: UInt64 = 0
    /// By reason.
    var rejected: [String: UInt64] = [:]
  }

  /// What the node is made of; all of it outlives the node.
  struct Surroundings {
    let identity: HostIdentity
    let name: HostName
    let boot: Boot
    let reactor: Reactor
    let socket: GossipSocket
    let kernel: KernelSide
    let port: UInt16
    let log: Logger
    /// Leaves a line in `weft events`.
    let tell: (Event) -> Void
    /// Hands out work that takes time.
    let send: (Errand) -> Void
    /// Membership says that this host's boot was seen elsewhere: start anew above it.
    let restart: (Boot) -> Void
    /// Whom the pool trusts changed, or this host's certificate.
    let trustChanged: () -> Void
    /// Looks at the underlay. If its address is another one, the engine has moved there what listens, and the node is to
    /// watch the gossip socket anew.
    let followUnderlay: () -> KernelSide.UnderlayChange?
    /// Files are written by it, in order, by somebody else.
    let files: StateQueue
  }

  /// What the pool gave this host.
  struct Papers {
    var trust: PoolTrust
    var certificates: OwnCertificates
    /// The CA keys that this host was handed, newest first.
    var authorities: [PoolCA]
    var poolRecords: [[UInt8]]
    var floors: [Floor]
    var ownStatements: [UInt8]
    var peers: [PeerAddress]
    /// Where members answer, as a joiner was told.
    var seeds: [Endpoint] = []
  }

  let around: Surroundings
  let identity: HostIdentity
  let boot: Boot
  let sealer: Sealer
  var abilities: HostCapabilities { around.kernel.abilities }
  let startedAt: Instant

  var trust: PoolTrust
  var certificates: OwnCertificates
  var authorities: [PoolCA]
  var membership: Membership
  var registry: Registry
  /// Public keys of hosts whose certificate was once good, for signatures; also of hosts that are gone.
  let keyring: Keyring
  var sessions: [HostID: PairSession] = [:]
  /// Where hosts were when they were last heard of, from disk, until they say it themselves.
  var lastAddresses: [HostID: Endpoint] = [:] { didSet { findMemberAddresses() } }
  /// Those of `lastAddresses`, and where members answered when this host joined.
  private(set) var memberAddresses: Set<IPAddress> = []
  /// Hosts of which was told that their underlay is of the other family.
  var toldOfOtherFamily: Set<HostID> = []
  /// What hosts were called when they were last heard of; of hosts that are gone nothing else tells.
  var lastNames: [HostID: String] = [:]
  var outbox = Outbox()
  var counters = Counters()
  // By address, whatever the port: nobody gets more by varying it.
  var whoLimit = SenderLimit(burst: 4, interval: .milliseconds(250))
  var helloLimit = SenderLimit(burst: 4, interval: .milliseconds(250))
  var checkLimit = SenderLimit(burst: 64, interval: .milliseconds(20))
  var refusalLimit = SenderLimit(burst: 2, interval: .seconds(30))
  /// Hosts that were heard from another address than their record says: one hello a second is enough.
  var roamingLimit = RateLimit<HostID>(burst: 1, interval: .seconds(1))

  /// Networks whose kernel objects have to be looked at before the turn ends.
  var staleNetworks: Set<NetworkID> = []
  var ports: [String: VIFPort] = [:]
  var xen: XenVIFSource?
  /// Pool records came or were written in this turn: they are stored, and what evictions say is taken, at its end.
  var hasNewPoolRecords = false
  var storedPeers: [PeerAddress] = []
  let seeds: [Endpoint]
  private let papersAtStart: Papers
  var nextGreeting: Instant
  /// How another host turned this one away, since the last sync that worked.
  var refusal: String?
  var isSynced = false
  /// The hosts that are being asked in the first sync, and all that were.
  var syncing: Set<HostID> = []
  var syncTried: Set<HostID> = []
  var storedVersion: Version = 0
  var storeTimer: Reactor.Timer?
  var nextReconcile: Instant
  var lastOverrun: Instant?
  /// What was last said about the host's firewall.
  var netfilterFailure: String?
  var kernelUpkeep = KernelUpkeep()
  /// nil where the kernel has no ESP.
  var keys: DataPathKeys?
  lazy var patience = ForwardingPatience(startedAt: startedAt)
  var timer: (deadline: Instant, handle: Reactor.Timer)?
  var waiters: [Waiter] = []
  private var isStopped = false

  init(_ around: Surroundings, papers: Papers, now: Instant) {
    self.around = around
    identity = around.identity
    boot = around.boot
    startedAt = now
    nextReconcile = now + Self.reconcileInterval
    sealer = Sealer(identity: around.identity, boot: around.boot)
    trust = papers.trust
    certificates = papers.certificates
    authorities = papers.authorities
    seeds = papers.seeds
    papersAtStart = papers
    nextGreeting = now
    keyring = Keyring(trust: papers.trust)
    var system = SystemRandomNumberGenerator()
    membership = Membership(host: identity.hostID, boot: boot, seed: system.next())
    registry = Registry(host: identity.hostID, boot: boot, seed: system.next())
    for peer in papers.peers where peer.host != identity.hostID { lastAddresses[peer.host] = peer.endpoint }
    findMemberAddresses()
  }

  private func findMemberAddresses() {
    memberAddresses = Set(lastAddresses.values.map(\.address)).union(seeds.map(\.address))
  }

  /// All that a later node needs to take over from this one.
  var papers: Papers {
    Papers(
      trust: trust, certificates: certificates, authorities: authorities, poolRecords: registry.poolRecords,
      floors: registry.floors,
      // Before the first sync the registry has not taken up what the file said.
      ownStatements: isSynced ? registry.ownStatements : papersAtStart.ownStatements,
      peers: lastAddresses.sorted { $0.key < $1.key }.map { host, endpoint in
        PeerAddress(host: host, endpoint: endpoint, boot: registry.hostView(host)?.boot)
      }, seeds: seeds)
  }

  /// The certificate that this host shows where there is room for one.
  var certificate: [UInt8] { certificates.preferred(by: trust) ?? certificates.newestFirst.first ?? [] }

  /// The key of the pool's present CA, by which this host can admit others; nil while it is on its way here.
  var ca: PoolCA? { authorities.first { $0.fingerprint == trust.currentCA } }

  static let reconcileInterval: Duration = .seconds(30)

  /// Forwarding stays as it stands in the kernel; only this node's ears close.
  func stop() {
    guard !isStopped else { return }
    isStopped = true
    if let timer { around.reactor.cancel(timer.handle) }
    if let storeTimer { around.reactor.cancel(storeTimer) }
    closePorts()
    xen?.stop()
    stopWatchingProtection()
    around.reactor.unwatch(around.socket.fileDescriptor)
    around.reactor.unwatch(around.kernel.monitor.descriptor)
    for waiter in waiters { waiter.resume(false) }
    waiters = []
  }

  // MARK: Turns

  /// Ends a turn: everything that its inputs caused goes out.
  func endTurn(_ now: Instant) {
    guard !isStopped else { return }
    // What is set right in the kernel changes this host's statements, and those go out in the same turn.
    for _ in 0..<8 {
      takePoolRecords(now)
      perform(registry.flush(now: now, sign: identity.sign), now: now)
      guard !staleNetworks.isEmpty else { break }
      sendOutbox(now)
      setRight(now)
    }
    perform(registry.flush(now: now, sign: identity.sign), now: now)
    sendKeyFrames()
    sendOutbox(now)
    storeStatementsSoon(now)
    resumeWaiters(now)
    arm(now)
  }

  /// One timer for the earliest of all deadlines.
  private func arm(_ now: Instant) {
    var deadline = min(nextReconcile, nextGreeting)
    for other in [
      membership.deadline, registry.deadline, kernelUpkeep.deadline, keys?.deadline, waiters.map(\.deadline).min(),
    ] {
      if let other, other < deadline { deadline = other }
    }
    if let timer {
      if timer.deadline == deadline { return }
      around.reactor.cancel(timer.handle)
    }
    timer = (deadline, around.reactor.schedule(at: deadline) { [weak self] in self?.timeHasCome() })
  }

  private func timeHasCome() {
    timer = nil
    guard !isStopped else { return }
    let now = Reactor.now()
    if nextGreeting <= now { greet(now) }
    perform(membership.advance(to: now), now: now)
    perform(registry.advance(to: now), now: now)
    advanceUpkeep(now)
    advanceKeys(now)
    if nextReconcile <= now {
      nextReconcile = now + Self.reconcileInterval
      reconcileAll(now)
      fetchCAIfNeeded()
    }
    endTurn(now)
  }

  // MARK: Waiting for a state

  /// Someone who waits until the pool is in some state.
  struct Waiter {
    let deadline: Instant
    let isDone: () -> Bool
    let resume: (Bool) -> Void
  }

  private func resumeWaiters(_ now: Instant) {
    guard !waiters.isEmpty else { return }
    var left: [Waiter] = []
    for waiter in waiters {
      if waiter.isDone() {
        waiter.resume(true)
      } else if waiter.deadline <= now {
        waiter.resume(false)
      } else {
        left.append(waiter)
      }
    }
    waiters = left
  }

  // MARK: Small answers

  /// Counts and logs what was dropped.
  ///
  /// - Parameters:
  ///   - kind: one of a fixed set of words; the counters have no more keys than there are such words.
  ///   - detail: whatever else is known.
  func reject(_ kind: String, _ detail: @autoclosure () -> String = "", from source: Endpoint?) {
    counters.rejected[kind, default: 0] += 1
    around.log.debug(
      "dropped",
      metadata: ["reason": "\(kind)", "detail": "\(detail())", "from": "\(source.map { "\($0)" } ?? "?")"])
  }

  /// A host was turned away: one line in the events, not a flood of them.
  func refuse(_ sentence: String, from source: Endpoint, now: Instant) {
    counters.rejected["refused", default: 0] += 1
    guard refusalLimit.allows(source.address, isMember: isMemberAddress(source.address), now: now) else { return }
    around.tell(Event(kind: "hostRefused", message: sentence))
  }

  /// The host left or was evicted, or was never admitted as far as the records tell.
  func isGone(_ host: HostID) -> Bool {
    if trust.revoked.contains(host) { return true }
    guard let view = registry.hostView(host) else { return false }
    return view.standing != .member
  }

  func endpoint(of host: HostID) -> Endpoint? {
    if let record = registry.hostView(host)?.record, let address = record.vteps.first {
      return Endpoint(address: address, port: record.gossipPort)
    }
    return lastAddresses[host]
  }

  /// How people call a host.
  func name(of host: HostID) -> String {
    if host == identity.hostID { return around.name.text }
    return registry.hostView(host)?.record?.name.text ?? lastNames[host] ?? host.description
  }

  func name(of network: NetworkID) -> String { registry.network(network)?.name.text ?? network.description }
}
