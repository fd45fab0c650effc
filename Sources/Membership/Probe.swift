import Wire

/// The probe of the current protocol period.
struct Probe: Sendable {
  let target: HostID
  let sequence: UInt32
  /// When the other ways are tried.
  let timeout: Instant
  /// When the period is over.
  var end: Instant
  /// True once the other ways are under way.
  var isIndirect = false
  /// Who was asked to probe in our place.
  var relays: [HostID] = []
  /// Relays that said that they are alive but got no ack.
  var nacks: Set<HostID> = []
  var isAnswered = false

  init(target: HostID, sequence: UInt32, timeout: Instant, end: Instant) {
    self.target = target
    self.sequence = sequence
    self.timeout = timeout
    self.end = end
  }

  /// An ack counts from the target itself, or from a relay that passes it on.
  func accepts(_ sequence: UInt32, from host: HostID) -> Bool {
    sequence == self.sequence && (host == target || relays.contains(host))
  }
}

/// A probe that this host makes because another one asked for it.
struct Relay: Sendable {
  let requester: HostID
  /// The requester's number, which the answer has to carry.
  let sequence: UInt32
  let target: HostID
  /// When the requester is told that no ack came; nil once it was.
  var nackAt: Instant?
  let end: Instant
}
