import Wire

/// A MAC behind VIFs of this host, and what this host claims of it.
struct LocalMAC: Sendable {
  var state: Claim.State = .present
  /// The last one claimed here; 0 if none.
  var sequence = MobilitySequence(0)
  /// The VIF at which it is live; nil also while a guest moves between two VIFs of this host.
  var port: String?
  /// The VIFs that have it, with the time of the last frame from it.
  var vifs: [String: Instant?] = [:]
  var ips: [(address: IPAddress, seen: Instant)] = []
  var becameLive: Instant?
  /// A claim made without knowing of ours was answered with one more.
  var hasAnswered = false
  /// Another host's claim was higher; the guest may be here all the same.
  var hasGivenUp = false
  /// The guest transmits here while another host, or another VIF, claims it.
  var contestedUntil: Instant?
  /// Sequences claimed of late, for damping: when, and the highest known then.
  var moves: [(at: Instant, sequence: MobilitySequence)] = []
  var localMoves: [Instant] = []
  /// When frames brought a claim back that was given up to a host that still claims.
  var reclaims: [Instant] = []
  /// A VIF here that transmits with this MAC beside `port`.
  var localRival: String?
  var dampedSince: Instant?
  var withdrawnSince: Instant?
  /// A frame or a rising carrier since the start, at this VIF.
  var evidence: String?
  /// What was last told of it.
  var told: Claim?
  var toldPort: String?

  var sortedVIFs: [String] { vifs.keys.sorted() }

  /// Takes up an address. False if there are too many: one unseen for `silence` makes room.
  mutating func note(_ address: IPAddress, limit: Int, silence: Duration, now: Instant) -> Bool {
    if let index = ips.firstIndex(where: { $0.address == address }) {
      ips[index].seen = now
      return true
    }
    if ips.count >= limit {
      guard let oldest = ips.indices.min(by: { ips[$0].seen < ips[$1].seen }), now - ips[oldest].seen >= silence else {
        return false
      }
      ips.remove(at: oldest)
    }
    ips.append((address, now))
    return true
  }

  /// What this host's claim would count as in the contest.
  func contender(_ host: HostID, isBackedByXen: Bool) -> Contender {
    Contender(host: host, isVisible: true, isBackedByXen: isBackedByXen, sequence: sequence)
  }
}
