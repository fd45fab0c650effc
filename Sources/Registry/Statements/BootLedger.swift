import Wire

/// What another host said in one boot: the statements, how far nothing is missing, and the owner's bytes for others.
struct BootLedger: Sendable {
  struct Change {
    var key: StatementKey
    var old: Statement?
    var new: Statement?
  }

  struct Outcome {
    var changes: [Change] = []
    /// The version grew.
    var advanced = false
    /// Something below the batch is missing.
    var hasGap = false
  }

  let boot: Boot
  /// Nothing is missing up to here.
  private(set) var version: Version = 0
  private(set) var statements: [StatementKey: Statement] = [:]
  /// The owner's batches from 0 to `version`, without a gap.
  private(set) var chain: [Batch] = []
  private var pending: [Batch] = []
  /// Statements that a recut batch did not list, and the version by which the owner has said what became of them.
  private var unlisted: [StatementKey: (held: Version, asOf: Version)] = [:]
  private var highestHeld: Version = 0
  private var rebuilt: [Batch] = []

  static let chainLimit = 64
  static let pendingLimit = 16
  static let statementLimit = 20_000

  init(boot: Boot) { self.boot = boot }

  /// The first full set is here, with nothing missing below its mark.
  var isComplete: Bool { statements[.complete].map { $0.version <= version } ?? false }

  /// So many batches that the owner should be asked for a snapshot.
  var wantsCompaction: Bool { chain.count > Self.chainLimit }

  /// Whether the batch says nothing that is not here already.
  func holds(_ bytes: [UInt8], _ header: Batch.Header) -> Bool {
    if header.to <= version { return !(wantsCompaction && (header.from == 0 || !rebuilt.isEmpty)) }
    return pending.contains { $0.bytes == bytes }
  }

  /// How many statements would stand here with those of the batch.
  func count(with batch: Batch) -> Int { statements.count + batch.statements.count }

  /// The batches that a holder of everything up to `after` lacks; nil if they are not kept.
  func batches(after: Version) -> [Batch]? {
    guard after < version else { return [] }
    guard let first = chain.first, first.header.from <= after else { return nil }
    return chain.filter { $0.header.to > after }
  }

  mutating func apply(_ batch: Batch) -> Outcome {
    var outcome = Outcome()
    markUnlisted(batch)
    if batch.header.to <= version {
      collectCompaction(batch)
      removeUnlisted(&outcome)
      return outcome
    }
    for statement in batch.statements { take(statement, &outcome) }
    if batch.header.from <= version {
      advance(over: batch)
      drainPending()
      outcome.advanced = true
    } else {
      outcome.hasGap = true
      if pending.count < Self.pendingLimit { pending.append(batch) }
    }
    removeUnlisted(&outcome)
    return outcome
  }

  /// Forgets a statement if it still stands in the version given.
  mutating func purge(_ key: StatementKey, version: Version) -> Bool {
    guard statements[key]?.version == version else { return false }
    statements[key] = nil
    return true
  }

  private mutating func take(_ statement: Statement, _ outcome: inout Outcome) {
    let old = statements[statement.key]
    if let old, old.version >= statement.version { return }
    statements[statement.key] = statement
    highestHeld = max(highestHeld, statement.version)
    unlisted[statement.key] = nil
    outcome.changes.append(Change(key: statement.key, old: old, new: statement))
  }

  private mutating func advance(over batch: Batch) {
    version = batch.header.to
    while let last = chain.last, last.header.from >= batch.header.from { chain.removeLast() }
    chain.append(batch)
  }

  private mutating func drainPending() {
    while let index = pending.firstIndex(where: { $0.header.from <= version && $0.header.to > version }) {
      advance(over: pending.remove(at: index))
    }
    pending.removeAll { $0.header.to <= version }
  }

  private mutating func markUnlisted(_ batch: Batch) {
    guard highestHeld > batch.header.from else { return }
    let listed = Set(batch.statements.map(\.key))
    for (key, statement) in statements
    where statement.version > batch.header.from && statement.version <= batch.header.to && !listed.contains(key) {
      unlisted[key] = (statement.version, max(unlisted[key]?.asOf ?? 0, batch.header.asOf))
    }
  }

  private mutating func removeUnlisted(_ outcome: inout Outcome) {
    guard !unlisted.isEmpty else { return }
    let due = unlisted.filter { $0.value.asOf <= version }.sorted { $0.value.held < $1.value.held }
    for (key, mark) in due {
      unlisted[key] = nil
      guard let old = statements[key], old.version == mark.held else { continue }
      statements[key] = nil
      outcome.changes.append(Change(key: key, old: old, new: nil))
    }
  }

  /// Takes a snapshot of what is held already in place of a long chain.
  private mutating func collectCompaction(_ batch: Batch) {
    guard wantsCompaction else { return }
    if batch.header.from == 0 {
      rebuilt = [batch]
    } else if let end = rebuilt.last?.header.to, batch.header.from <= end, batch.header.to > end {
      rebuilt.append(batch)
    }
    guard let end = rebuilt.last?.header.to else { return }
    let rest = chain.filter { $0.header.to > end }
    guard rebuilt.count + rest.count <= Self.chainLimit, rest.count <= Self.chainLimit / 4 else { return }
    chain = rebuilt + rest
    rebuilt = []
  }
}
