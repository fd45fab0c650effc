import Registry
import Wire

/// How long what stands in the kernel for a host is left alone although the registry knows nothing of that host's: after
/// a start here, the other host's agent may be silent while its kernel and its guests go on.
struct ForwardingPatience {
  enum Entry: Hashable {
    case flood
    case unicast
  }

  /// A host that answers tells within this time what it has.
  static let answering: Duration = .seconds(60)
  /// As long as the statements of dead hosts are kept.
  static let silent: Duration = .seconds(30 * 60)

  let startedAt: Instant
  /// When each host was last seen not to answer: what it has to tell is waited for from then on.
  private var lastSilent: [HostID: Instant] = [:]

  init(startedAt: Instant) { self.startedAt = startedAt }

  /// Whether an entry for `host` stays.
  ///
  /// - Parameters:
  ///   - state: as judged here; nil if the host was never heard.
  ///   - isComplete: it has told all that it has in its present boot.
  mutating func protects(
    _ entry: Entry, of host: HostID, state: MemberState?, isComplete: Bool, now: Instant
  ) -> Bool {
    guard !isComplete else { return false }
    switch state {
    case .agentDown:
      // Membership ends this state by itself.
      lastSilent[host] = now
      return true
    case nil:
      lastSilent[host] = now
      return now - startedAt < Self.silent
    case .dead: return entry == .unicast && now - startedAt < Self.silent
    case .alive, .suspect: return now - max(startedAt, lastSilent[host] ?? startedAt) < Self.answering
    case .left: return false
    }
  }
}
