import Registry
import Trust
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
    try Transit.finish(state)
    if let bytes = try state.read(.identity) {
      identity = try HostIdentity(encoded: bytes)
    } else {
      identity = HostIdentity()
      try state.write(.identity, identity.encoded)
    }
    if let bytes = try state.read(.tokens) {
      ledger = try TokenLedger(encoded: bytes, now: Reactor.now())
    } else {
      ledger = TokenLedger()
    }
    papers = try Self.papers(state)
    // Behind all that can be wrong with the files.
    boot = try BootCounter.advance(state)
  }

  private static func papers(_ state: StateDirectory) throws -> Node.Papers? {
    let certificates = try state.read(.certificate)
    let trust = try state.read(.trust)
    let records = try state.read(.poolRecords)
    if certificates == nil, trust == nil, records == nil { return nil }
    // A member has all three; what is missing was lost, and is not taken for "in no pool".
    guard let certificates else { throw SavedStateError.missing(.certificate, in: state.path) }
    guard let trust else { throw SavedStateError.missing(.trust, in: state.path) }
    guard let records else { throw SavedStateError.missing(.poolRecords, in: state.path) }
    func content<Value>(of file: StateFile, _ read: () throws -> Value) throws -> Value {
      do { return try read() } catch { throw SavedStateError.unreadable(file, in: state.path, why: "\(error)") }
    }
    let peerFile = try state.read(.peers) ?? [0, 0]
    let (peers, seeds) = try content(of: .peers) { try PeerAddress.decode(peerFile) }
    let authorities = try state.read(.authority) ?? []
    let floors = try state.read(.floors) ?? []
    return Node.Papers(
      trust: try PoolTrust(encoded: trust),
      certificates: try OwnCertificates(encoded: certificates),
      authorities: try content(of: .authority) { try AuthorityFile.decode(authorities) },
      poolRecords: try content(of: .poolRecords) { try RecordFile.decode(records) },
      floors: try content(of: .floors) { try Floor.decode(floors) },
      ownStatements: try state.read(.statements) ?? [],
      peers: peers, seeds: seeds)
  }
}

/// The way into a pool or out of it takes several files. This mark is written before the first of them and removed after
/// the last, so that a start finds out whether a crash came in between, and then goes back (of a join) or on (of a leave).
enum Transit: UInt8 {
  case joining = 1
  case leaving = 2

  /// What only a member has.
  private static let memberFiles: [StateFile] = [
    .certificate, .statements, .peers, .poolRecords, .floors, .trust, .authority,
  ]

  func begin(_ state: StateDirectory) throws(StateError) { try state.write(.transit, [rawValue]) }

  /// Ends a join: all files are there.
  static func end(_ state: StateDirectory) throws(StateError) { try state.remove(.transit) }

  /// Undoes a join that was begun, or does the rest of a leave. Nothing happens if neither was begun.
  static func finish(_ state: StateDirectory) throws {
    guard let content = try state.read(.transit) else { return }
    // Before anything is changed: a lost identity is told, not made anew.
    _ = try state.read(.identity)
    guard let mark = content.first.flatMap(Transit.init), content.count == 1 else {
      throw SavedStateError.unreadable(.transit, in: state.path, why: "no mark of this release")
    }
    if mark == .leaving {
      // A host that left stays left: who comes next is somebody else.
      try state.write(.identity, HostIdentity().encoded)
      try state.remove(.tokens)
    }
    for file in memberFiles { try state.remove(file) }
    try state.remove(.transit)
  }
}

/// The directory says that this host is in a pool and lacks what a member has.
enum SavedStateError: Error, CustomStringConvertible {
  case missing(StateFile, in: String)
  /// Whole as a file, but not what this release writes there.
  case unreadable(StateFile, in: String, why: String)

  var description: String {
    switch self {
    case .missing(let file, let path):
      "This host is in a pool, but \(path)/\(file.name) is gone: restore the directory from a backup, or empty it and join the pool anew."
    case .unreadable(let file, let path, let why):
      "\(path)/\(file.name) holds something else than it should (\(why)): restore it from a backup, or empty the directory and join the pool anew."
    }
  }
}
