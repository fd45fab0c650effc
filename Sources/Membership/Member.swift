import Wire

/// What this host keeps about another one.
struct Member: Sendable {
  /// nil until anything was heard of it: then it counts as dead.
  var standing: Standing?
  /// Who said so last.
  var source: HostID
  /// Its boot by the pool's records, from before this host's own start.
  var lastBoot: Boot?
  /// When a packet last came straight from it.
  var heardAt: Instant?
  /// When a round trip with its agent last worked.
  var answered: Instant?
  /// Who passed its ack on when it did not come straight: the first to be asked the next time.
  var relay: HostID?
  /// When its kernel last answered on TCP without its agent.
  var kernelSeen: Instant?
  /// The TCP probe under way, and when it is given up.
  var tcp: (sequence: UInt32, end: Instant)?
  /// A TCP probe that waits for its turn.
  var tcpAt: Instant?
  /// Not before this is it asked again whether the kernel is still there.
  var recheckAt: Instant?
  /// Until then a kernel that answers contradicts its death.
  var witnessUntil: Instant?
  /// Not before this may its death be contradicted again.
  var witnessAgainAt: Instant?
  /// When it was last told what the pool thinks of it outside a probe.
  var toldAt: Instant?

  init(host: HostID, lastBoot: Boot?) {
    source = host
    self.lastBoot = lastBoot
  }

  var state: MemberState? { standing?.state }

  var isReachable: Bool { state?.isReachable ?? false }

  var isInForce: Bool { state?.isInForce ?? false }

  /// Dead or never heard of: pinged slowly.
  var isSilent: Bool { state == nil || state == .dead }
}

/// One host as its users see it.
package struct MemberView: Hashable, Sendable {
  package var host: HostID
  /// `dead` for a host that was never heard of.
  package var state: MemberState
  /// nil for a host that was never heard of.
  package var boot: Boot?
  package var incarnation: Incarnation

  package init(host: HostID, state: MemberState, boot: Boot?, incarnation: Incarnation) {
    self.host = host
    self.state = state
    self.boot = boot
    self.incarnation = incarnation
  }
}
