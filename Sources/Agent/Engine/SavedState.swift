import Registry
import Security
import Wire

/// What the state directory holds at start, read and checked as a whole before anything else happens.
struct SavedState {
  let identity: HostIdentity
  /// Drawn for this run.
  let boot: Boot
  let ledger: TokenLedger
  /// nil: this host is in no pool.
  let papers: Node.Papers?

  /// Reads the directory. A directory without anything of ours gets a new identity; one that has anything else but no
  /// readable identity is refused.
  init(_ state: StateDirectory) throws {
    if let bytes = try state.read(.identity) {
      identity = try HostIdentity(encoded: bytes)
    } else {
      identity = HostIdentity()
      try state.write(.identity, identity.encoded)
    }
    boot = try BootCounter.advance(state)
    if let bytes = try state.read(.tokens) {
      ledger = try TokenLedger(encoded: bytes, now: Reactor.now())
    } else {
      ledger = TokenLedger()
    }
    guard let certificates = try state.read(.certificate) else {
      // A leave or a join that a crash cut short: without the certificate none of it counts.
      for file in Self.poolFiles { try state.remove(file) }
      papers = nil
      return
    }
    guard let trust = try state.read(.trust) else { throw SavedStateError.missing("trust") }
    guard let records = try state.read(.poolRecords) else { throw SavedStateError.missing("pool records") }
    let (peers, seeds) = try PeerAddress.decode(try state.read(.peers) ?? [0, 0])
    papers = Node.Papers(
      trust: try PoolTrust(encoded: trust),
      certificates: try OwnCertificates(encoded: certificates),
      authorities: try AuthorityFile.decode(try state.read(.authority) ?? []),
      poolRecords: try RecordFile.decode(records),
      floors: try Floor.decode(try state.read(.floors) ?? []),
      ownStatements: try state.read(.statements) ?? [],
      peers: peers, seeds: seeds)
  }

  /// What only a member has, but for the certificate that makes it one.
  static let poolFiles: [StateFile] = [.statements, .peers, .poolRecords, .floors, .trust, .authority]
}

/// The directory says that this host is in a pool and lacks what a member has.
enum SavedStateError: Error, CustomStringConvertible {
  case missing(String)

  var description: String {
    switch self {
    case .missing(let what):
      "The state directory has this host's certificate but not its \(what): restore the directory from a backup, or empty it and join the pool anew."
    }
  }
}
