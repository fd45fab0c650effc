import Wire

/// What this host says in this boot: the statements in force, those not signed yet, and the recent batches.
struct OwnStatements: Sendable {
  let owner: HostID
  let boot: Boot
  private(set) var version: Version = 0
  private(set) var current: [StatementKey: Statement] = [:]
  /// The last batches, without a gap, the newest ending at `version`.
  private(set) var chain: [Batch] = []
  private(set) var hostBatch: Batch?
  private var waiting: [StatementKey: [UInt8]] = [:]
  private var order: [StatementKey] = []
  /// The highest version of a statement that was purged: who is below it needs a snapshot.
  private var purgeFloor: Version = 0

  static let chainLimit = 64

  init(owner: HostID, boot: Boot) {
    self.owner = owner
    self.boot = boot
  }

  var hasWaiting: Bool { !order.isEmpty }

  /// The value as it will stand after the next signing.
  func value(of key: StatementKey) -> [UInt8]? { waiting[key] ?? current[key]?.value }

  mutating func set(_ key: StatementKey, _ value: [UInt8]) {
    if self.value(of: key) == value { return }
    if waiting.updateValue(value, forKey: key) == nil { order.append(key) }
  }

  /// Forgets a statement without saying so; only for those that say that something is gone.
  mutating func purge(_ key: StatementKey) {
    if let statement = current.removeValue(forKey: key) { purgeFloor = max(purgeFloor, statement.version) }
    if waiting.removeValue(forKey: key) != nil { order.removeAll { $0 == key } }
  }

  /// Gives versions to what changed since the last call and signs it in batches for datagrams.
  mutating func sign(_ sign: Sign) -> [Batch] {
    guard hasWaiting else { return [] }
    let from = version
    var fresh: [Statement] = []
    for key in order {
      guard let value = waiting[key] else { continue }
      version += 1
      let statement = Statement(version: version, key: key, value: value)
      current[key] = statement
      fresh.append(statement)
    }
    order.removeAll()
    waiting.removeAll()
    guard version > from else { return [] }
    let batches = cut(fresh, from: from, maximum: Batch.datagramSize, sign)
    chain += batches
    if chain.count > Self.chainLimit { chain.removeFirst(chain.count - Self.chainLimit) }
    return batches
  }

  /// What a holder of everything up to `after` lacks, or a snapshot if the difference is not known any more.
  func batches(after: Version, maximum: Int, _ sign: Sign) -> [Batch] {
    guard after < version else { return [] }
    let isCovered = chain.first.map { $0.header.from <= after } ?? false
    let tail = isCovered ? chain.filter { $0.header.to > after } : []
    if isCovered, after > 0 || tail.count <= 8 { return tail }
    let from = after >= purgeFloor ? after : 0
    let statements = current.values.filter { $0.version > from }.sorted { $0.version < $1.version }
    return cut(statements, from: from, maximum: maximum, sign)
  }

  /// The statements in force and waiting, in one unsigned batch for this host's own disk.
  var unsignedSnapshot: [UInt8] {
    var statements = current.values.sorted { $0.version < $1.version }.filter { waiting[$0.key] == nil }
    var next = version
    for key in order {
      guard let value = waiting[key] else { continue }
      next += 1
      statements.append(Statement(version: next, key: key, value: value))
    }
    guard next > 0, statements.count <= Int(UInt16.max) else { return [] }
    let header = Batch.Header(owner: owner, boot: boot, from: 0, to: next, asOf: next)
    return Batch(header: header, statements: statements, sign: { _ in [] }).bytes
  }

  /// The host record stands alone in its batch, because a hello carries that batch.
  private func cut(_ statements: [Statement], from: Version, maximum: Int, _ sign: Sign) -> [Batch] {
    let room = maximum - Batch.headerSize - Batch.signatureSize
    var groups: [[Statement]] = [[]]
    var size = 0
    for statement in statements {
      let last = groups[groups.count - 1]
      let isAlone = statement.key == .host || last.last?.key == .host
      if !last.isEmpty, isAlone || size + statement.encodedSize > room || last.count == Int(UInt16.max) {
        groups.append([])
        size = 0
      }
      groups[groups.count - 1].append(statement)
      size += statement.encodedSize
    }
    var start = from
    return groups.enumerated().map { index, group in
      let end = index == groups.count - 1 ? version : group.last?.version ?? version
      defer { start = end }
      let header = Batch.Header(owner: owner, boot: boot, from: start, to: end, asOf: version)
      return Batch(header: header, statements: group, sign: sign)
    }
  }
}

extension OwnStatements {
  /// The batch that holds the host record as it is now said.
  mutating func noteHostBatch(in batches: [Batch]) {
    if let batch = batches.last(where: { $0.statements.count == 1 && $0.statements[0].key == .host }) {
      hostBatch = batch
    }
  }
}
