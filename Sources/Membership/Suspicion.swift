import Wire

/// The time that a suspected host has to refute. It starts long and shrinks as more hosts say independently that they
/// cannot reach it either. Lifeguard section IV-B.
struct Suspicion: Sendable {
  let start: Instant
  /// Who suspects, first come first; bounded, further ones change nothing.
  private(set) var sources: [HostID]
  private let shortest: Duration
  private let longest: Duration
  /// Confirmations that bring it down to `shortest`.
  private let needed: Int
  /// When the suspect is asked for again by other relays; nil unless this host's own probe failed.
  private(set) var checkAt: Instant?
  private(set) var check: (sequence: UInt32, relays: [HostID])?
  private let checkInterval: Duration
  /// The others were asked for news of the suspect when the timer ran out: the next time it is final.
  var isLastLookDone = false
  /// Set when the timer ran out but must not be acted on yet.
  private var postponedTo: Instant?

  /// - Parameter live: members thought to be there, this host included.
  init(source: HostID, now: Instant, live: Int, configuration: Membership.Configuration) {
    start = now
    sources = [source]
    shortest =
      configuration.probeInterval * (configuration.suspicionMinimum * Logarithm.poolFactor(live) / 1000) / 1000
    checkInterval = configuration.probeInterval / 2
    longest = shortest * max(1, configuration.suspicionMaximum)
    // The suspect and the first to suspect confirm nothing.
    needed = min(configuration.suspicionConfirmations, max(0, live - 2))
  }

  /// True if this source is new and still counts: then it is worth passing on.
  mutating func confirm(by source: HostID) -> Bool {
    guard sources.count <= needed, !sources.contains(source) else { return false }
    sources.append(source)
    return true
  }

  /// This host's own probe of the suspect failed, so it goes on looking for a way.
  mutating func startChecking(now: Instant) { checkAt = checkAt ?? now + checkInterval }

  /// Notes a further probe of the suspect through `relays` and when the next is due.
  mutating func began(check sequence: UInt32, relays: [HostID], now: Instant) {
    check = (sequence, relays)
    checkAt = now + checkInterval
  }

  /// An ack that ends a further probe.
  func accepts(_ sequence: UInt32, from host: HostID) -> Bool {
    check.map { $0.sequence == sequence && $0.relays.contains(host) } ?? false
  }

  mutating func postpone(to time: Instant) { postponedTo = time }

  /// When the host is dead: `longest` falls to `shortest` with the logarithm of the confirmations.
  var end: Instant {
    let confirmed = min(sources.count - 1, needed)
    var duration = shortest
    if needed > 0 {
      let share = 1000 * Logarithm.base2(confirmed + 1) / Logarithm.base2(needed + 1)
      duration = longest - (longest - shortest) * share / 1000
    }
    return max(start + duration, postponedTo ?? start)
  }

  /// When a host whose kernel answers is called `agentDown`: before anybody can call it dead.
  var witnessTime: Instant { start + shortest / 3 }
}
