import Wire

/// Who has confirmed what, what is to be sent, and when it is repeated.
struct Replication: Sendable {
  /// A host that answers: what it has of this host's statements and records.
  struct Peer: Sendable {
    let boot: Boot?
    /// nil until it told.
    var confirmed: Version?
    /// Pool records of this host's making that it has not confirmed.
    var records: Set<RecordDigest> = []
    var nextRepeat: Instant?
    var interval: Duration
    /// Of its last advert.
    var poolHash: UInt64?
    var hashCheck: Instant?
    var lastSync: Instant?
  }

  struct Want: Hashable, Sendable {
    var owner: HostID
    var boot: Boot
    var after: Version
  }

  let configuration: Registry.Configuration
  private(set) var peers: [HostID: Peer] = [:]
  /// No peer is due before; it may be earlier than any is, so that no turn has to look at all of them.
  private(set) var deadline: Instant?
  private var outbox: [HostID: [GossipFrame]] = [:]
  private var haves: [HostID: [HostID: Holding]] = [:]
  private var seen: [HostID: Set<RecordDigest>] = [:]
  private var asked: [Want: Instant] = [:]
  /// Wants of others, answered at the end of the turn.
  private(set) var wants: [(from: HostID, want: Want)] = []

  /// More batches than this go by TCP.
  static let batchesPerSend = 16
  static let recordsPerSend = 8
  static let wantsPerTurn = 1024

  init(configuration: Registry.Configuration) { self.configuration = configuration }

  var isEpidemic: Bool { peers.count > configuration.directHosts }

  mutating func peerCame(_ host: HostID, boot: Boot?, now: Instant) {
    if let peer = peers[host], peer.boot == boot { return }
    peers[host] = Peer(boot: boot, nextRepeat: now, interval: configuration.firstRepeat)
    deadline = min(deadline ?? now, now)
  }

  mutating func peerWent(_ host: HostID) {
    peers[host] = nil
    outbox[host] = nil
    haves[host] = nil
    seen[host] = nil
  }

  mutating func update(_ host: HostID, _ body: (inout Peer) -> Void) {
    guard var peer = peers[host] else { return }
    body(&peer)
    peers[host] = peer
    for due in [peer.nextRepeat, peer.hashCheck] {
      if let due { deadline = min(deadline ?? due, due) }
    }
  }

  /// Hosts to which a change goes at first: all, or in a large pool a few by lot.
  func targets(except excluded: Set<HostID>, using generator: inout SeededGenerator) -> [HostID] {
    let all = peers.keys.filter { !excluded.contains($0) }.sorted()
    guard isEpidemic else { return all }
    return Array(all.shuffled(using: &generator).prefix(configuration.fanOut))
  }

  /// The peer has not confirmed something: repeat it from `now` plus the first interval.
  mutating func expectAnswer(from host: HostID, now: Instant) {
    let first = configuration.firstRepeat
    update(host) { peer in
      peer.interval = first
      peer.nextRepeat = now + first
    }
  }

  mutating func confirm(_ host: HostID, version: Version, latest: Version) {
    update(host) { peer in
      peer.confirmed = max(peer.confirmed ?? 0, version)
      if version >= latest, peer.records.isEmpty { peer.nextRepeat = nil }
    }
  }

  mutating func confirm(_ host: HostID, records: [RecordDigest], latest: Version) {
    update(host) { peer in
      peer.records.subtract(records)
      if peer.records.isEmpty, let confirmed = peer.confirmed, confirmed >= latest { peer.nextRepeat = nil }
    }
  }

  // MARK: To be sent at the end of the turn

  mutating func send(_ frame: GossipFrame, to host: HostID) { outbox[host, default: []].append(frame) }

  /// The latest per owner goes out once a turn.
  mutating func answer(_ host: HostID, have holding: Holding) { haves[host, default: [:]][holding.owner] = holding }

  mutating func answer(_ host: HostID, seen digest: RecordDigest) { seen[host, default: []].insert(digest) }

  /// Asks for what follows; the same question goes out at most once in a repeat interval.
  mutating func ask(_ host: HostID, _ want: Want, now: Instant) {
    if let last = asked[want], now - last < configuration.firstRepeat { return }
    if asked.count > 4096 { asked = asked.filter { now - $0.value < configuration.firstRepeat } }
    asked[want] = now
    send(.want(owner: want.owner, boot: want.boot, after: want.after), to: host)
  }

  mutating func note(_ want: Want, from host: HostID) {
    guard wants.count < Self.wantsPerTurn, !wants.contains(where: { $0.from == host && $0.want == want }) else {
      return
    }
    wants.append((host, want))
  }

  mutating func takeWants() -> [(from: HostID, want: Want)] {
    defer { wants = [] }
    return wants
  }

  /// Everything to be sent, by host, in order.
  mutating func takeFrames() -> [(host: HostID, frames: [GossipFrame])] {
    for (host, holdings) in haves.sorted(by: { $0.key < $1.key }) {
      for (_, holding) in holdings.sorted(by: { $0.key < $1.key }) { send(.have(holding), to: host) }
    }
    for (host, digests) in seen.sorted(by: { $0.key < $1.key }) {
      let sorted = digests.sorted().map(\.value)
      for start in stride(from: 0, to: sorted.count, by: 128) {
        send(.recordsSeen(Array(sorted[start..<min(start + 128, sorted.count)])), to: host)
      }
    }
    haves = [:]
    seen = [:]
    defer { outbox = [:] }
    return outbox.sorted { $0.key < $1.key }.map { ($0.key, $0.value) }
  }

  /// After all that was due has been done.
  mutating func findDeadline() {
    deadline = nil
    for peer in peers.values {
      for candidate in [peer.nextRepeat, peer.hashCheck] {
        if let candidate { deadline = min(deadline ?? candidate, candidate) }
      }
    }
  }
}
