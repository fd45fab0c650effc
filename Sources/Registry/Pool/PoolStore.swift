import Wire

/// The pool's records, one per key, merged by total orders: the order in which they come does not matter.
struct PoolStore: Sendable {
  private(set) var records: [PoolRecordKey: PoolRecord] = [:]
  private var byDigest: [RecordDigest: PoolRecordKey] = [:]
  /// The sum of all digests, equal on two hosts that hold the same records.
  private(set) var hash: UInt64 = 0
  /// The highest counter heard of.
  private(set) var counter: UInt64 = 0
  private var fieldsOf: [NetworkID: Set<PoolRecordKey>] = [:]

  static let leap: UInt64 = 1 << 32

  enum Outcome {
    case news
    /// Held already, older than what is held, or about something that is gone.
    case old
  }

  func holds(_ digest: RecordDigest) -> Bool { byDigest[digest] != nil }

  func record(_ digest: RecordDigest) -> PoolRecord? { byDigest[digest].flatMap { records[$0] } }

  var digests: [RecordDigest] { byDigest.keys.sorted() }

  func isLeap(_ record: PoolRecord) -> Bool {
    record.stamp.counter > counter && record.stamp.counter - counter > Self.leap
  }

  func isGone(_ host: HostID) -> Bool { records[.revocation(host)] != nil || records[.left(host)] != nil }

  mutating func merge(_ record: PoolRecord) -> Outcome {
    counter = max(counter, record.stamp.counter)
    if isCovered(record.key) { return .old }
    if let held = records[record.key] {
      guard record.replaces(held) else { return .old }
      remove(held)
    }
    insert(record)
    if case .networkDeletion(let network) = record.key { removeAll(of: network) }
    return .news
  }

  /// The stamp of the next record of `author`; nil at the end of the range.
  func nextStamp(author: HostID) -> RecordStamp? {
    let (next, overflow) = counter.addingReportingOverflow(1)
    return overflow ? nil : RecordStamp(counter: next, author: author)
  }

  /// The records of a deleted network need no keeping: its deletion stays for ever and outranks them.
  private func isCovered(_ key: PoolRecordKey) -> Bool {
    switch key {
    case .networkCreation(let network), .networkField(let network, _): records[.networkDeletion(network)] != nil
    default: false
    }
  }

  private mutating func insert(_ record: PoolRecord) {
    records[record.key] = record
    byDigest[record.digest] = record.key
    hash &+= record.digest.value
    if case .networkField(let network, _) = record.key { fieldsOf[network, default: []].insert(record.key) }
  }

  private mutating func remove(_ record: PoolRecord) {
    records[record.key] = nil
    byDigest[record.digest] = nil
    hash &-= record.digest.value
  }

  private mutating func removeAll(of network: NetworkID) {
    if let creation = records[.networkCreation(network)] { remove(creation) }
    for key in fieldsOf.removeValue(forKey: network) ?? [] {
      if let record = records[key] { remove(record) }
    }
  }

  /// The mutable fields of a network, in no order.
  func fields(of network: NetworkID) -> [PoolRecord] { (fieldsOf[network] ?? []).compactMap { records[$0] } }

  /// The network's fields with every change applied.
  struct Network: Hashable, Sendable {
    var id: NetworkID
    var stamp: RecordStamp
    var creation: NetworkCreation
    var name: NetworkName
    var mtu: NetworkMTU
    var options: [NetworkOption]
  }

  func network(_ id: NetworkID) -> Network? {
    guard let record = records[.networkCreation(id)], let creation = try? NetworkCreation(bytes: record.body) else {
      return nil
    }
    var network = Network(
      id: id, stamp: record.stamp, creation: creation, name: creation.name, mtu: creation.mtu, options: [])
    for field in fields(of: id) {
      guard case .networkField(_, let kind) = field.key else { continue }
      switch kind {
      case .name: if let name = try? RecordBody.name(in: field.body) { network.name = name }
      case .mtu: if let mtu = try? RecordBody.mtu(in: field.body) { network.mtu = mtu }
      case .option(let name):
        if let value = try? RecordBody.option(in: field.body), !value.isEmpty {
          network.options.append(NetworkOption(name: name, value: value))
        }
      }
    }
    network.options.sort { $0.name < $1.name }
    return network
  }

  /// All networks in the order of their creation stamps.
  var networks: [Network] {
    records.keys.compactMap { key in
      guard case .networkCreation(let id) = key else { return nil }
      return network(id)
    }.sorted { $0.stamp != $1.stamp ? $0.stamp < $1.stamp : $0.id < $1.id }
  }
}
