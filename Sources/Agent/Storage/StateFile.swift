/// What an agent keeps on disk, each as one file of opaque bytes in its state directory.
package enum StateFile: UInt16, CaseIterable, Sendable {
  /// The host's keys: who it is, for ever.
  case identity = 1
  /// The counter of the agent's runs.
  case boot = 2
  /// The pool's CA: its key and certificates.
  case authority = 3
  /// The host's own certificate.
  case certificate = 4
  case poolRecords = 5
  /// Addresses of members, to find the pool again.
  case peers = 6
  /// The join tokens that this host issued, and what became of them.
  case tokens = 7
  /// The last statements that this host made.
  case statements = 8
  /// The machine that the directory belongs to.
  case machine = 9
  /// Whom the pool trusts: its first CA and the evictions.
  case trust = 10
  /// Up to where hosts that are gone were heard: nothing older comes back to life.
  case floors = 11
  /// A join or a leave is under way; it is there only in between.
  case transit = 12

  var name: String {
    switch self {
    case .identity: "identity"
    case .boot: "boot"
    case .authority: "authority"
    case .certificate: "certificate"
    case .poolRecords: "pool-records"
    case .peers: "peers"
    case .tokens: "tokens"
    case .statements: "statements"
    case .machine: "machine"
    case .trust: "trust"
    case .floors: "floors"
    case .transit: "transit"
    }
  }

  var temporaryName: String { ".\(name).new" }

  /// The files without which this one means nothing. They are written before it, so if it is there and one of them is
  /// not, that one was lost and must not be made anew in silence.
  var foundations: [StateFile] {
    switch self {
    case .machine, .identity: []
    case .boot: [.identity]
    default: [.identity, .boot]
    }
  }
}
