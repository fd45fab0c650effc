import Wire

// Pool records: what is written here, and what comes from others.
extension Registry {
  /// Pool records from disk, in any order; what cannot be read or does not verify is told and left out.
  package mutating func load(poolRecords: [[UInt8]], floors: [Floor], verify: Verify) -> [Effect] {
    for floor in floors where floor.host != host {
      ledgers[floor.host, default: HostLedger()].floor = floor
    }
    // Before the start no claim is made, so that no time is needed.
    take(records: poolRecords, from: host, now: Instant(nanoseconds: 0), verify: verify)
    return takeEffects()
  }

  /// All records, in their authors' bytes, in an order that a reader can take them up in.
  package var poolRecords: [[UInt8]] { pool.records.values.sorted(by: Self.readsBefore).map(\.bytes) }

  package var floors: [Floor] { ledgers.sorted { $0.key < $1.key }.compactMap(\.value.floor) }

  package var poolHash: UInt64 { pool.hash }

  // MARK: Written here

  /// Takes a host into the pool, or gives a member a new certificate.
  package mutating func admit(_ other: HostID, certificate: [UInt8], now: Instant, sign: Sign) throws(RegistryError)
    -> [Effect]
  {
    guard !pool.isGone(other) else { throw .hostIsGone(other) }
    return try write(.admission(other), RecordBody.certificate(certificate), now: now, sign: sign)
  }

  /// Evicts a host for ever. `payload` is opaque here (the new CA, and the hosts that it vouches for).
  package mutating func revoke(_ other: HostID, payload: [UInt8], now: Instant, sign: Sign) throws(RegistryError)
    -> [Effect]
  {
    guard pool.records[.revocation(other)] == nil else { throw .hostIsGone(other) }
    return try write(.revocation(other), payload, now: now, sign: sign)
  }

  /// Writes that a host left by its own word.
  package mutating func recordLeft(_ other: HostID, now: Instant, sign: Sign) throws(RegistryError) -> [Effect] {
    guard !pool.isGone(other) else { throw .hostIsGone(other) }
    return try write(.left(other), [], now: now, sign: sign)
  }

  package mutating func createNetwork(_ spec: NetworkSpec, now: Instant, sign: Sign) throws(RegistryError) -> [Effect] {
    let vni = spec.vni ?? VNI.derived(from: spec.id)
    let bridge = spec.bridge ?? BridgeName(network: spec.name, vni: vni)
    for other in pool.networks {
      if other.name == spec.name { throw .nameTaken(spec.name.text) }
      if other.creation.vni == vni { throw .vniTaken(vni, by: other.name.text) }
      if other.creation.bridge == bridge { throw .bridgeTaken(bridge.text, by: other.name.text) }
    }
    let creation = NetworkCreation(
      vni: vni, bridge: bridge, encapsulation: spec.encapsulation, encryption: spec.encryption, mtu: spec.mtu,
      name: spec.name)
    return try write(.networkCreation(spec.id), creation.bytes, now: now, sign: sign)
  }

  package mutating func setNetwork(_ id: NetworkID, _ change: NetworkChange, now: Instant, sign: Sign)
    throws(RegistryError) -> [Effect]
  {
    guard pool.network(id) != nil else { throw .noSuchNetwork(id.description) }
    switch change {
    case .name(let name):
      if pool.networks.contains(where: { $0.id != id && $0.name == name }) { throw .nameTaken(name.text) }
      return try write(.networkField(id, .name), RecordBody.name(name), now: now, sign: sign)
    case .mtu(let mtu): return try write(.networkField(id, .mtu), RecordBody.mtu(mtu), now: now, sign: sign)
    case .option(let name, let value):
      guard NameRule.allows(name) else { throw .invalidOption(name) }
      return try write(.networkField(id, .option(name)), RecordBody.option(value), now: now, sign: sign)
    }
  }

  package mutating func deleteNetwork(_ id: NetworkID, now: Instant, sign: Sign) throws(RegistryError) -> [Effect] {
    guard pool.network(id) != nil else { throw .noSuchNetwork(id.description) }
    return try write(.networkDeletion(id), [], now: now, sign: sign)
  }

  private mutating func write(_ key: PoolRecordKey, _ body: [UInt8], now: Instant, sign: Sign) throws(RegistryError)
    -> [Effect]
  {
    guard let stamp = pool.nextStamp(author: host) else { throw .counterExhausted }
    let record = PoolRecord(key: key, stamp: stamp, body: body, sign: sign)
    merge(record, now: now)
    spread(record, now: now)
    return takeEffects()
  }

  private mutating func spread(_ record: PoolRecord, now: Instant) {
    for target in replication.targets(except: [], using: &generator) {
      replication.update(target) { $0.records.insert(record.digest) }
      replication.expectAnswer(from: target, now: now)
      if record.bytes.count <= PoolRecord.datagramSize {
        replication.send(.record(record.bytes), to: target)
      } else {
        effects.append(.advertise(to: target))
      }
    }
  }

  // MARK: From others

  /// Records of a sync or from disk. Admissions go first, because they bring the keys by which the others are checked.
  mutating func take(records: [[UInt8]], from sender: HostID, now: Instant, verify: Verify) {
    var decoded: [PoolRecord] = []
    for bytes in records {
      do throws(WireError) { decoded.append(try PoolRecord(bytes: bytes)) } catch {
        reject(sender, .malformed("record: \(error)"))
      }
    }
    // What an author wrote can stand before its own admission, so a refused one gets a second look.
    var refused: [PoolRecord] = []
    for record in decoded.sorted(by: Self.readsBefore) {
      if !take(record, from: sender, now: now, verify: verify, isLast: false) { refused.append(record) }
    }
    for record in refused { take(record, from: sender, now: now, verify: verify, isLast: true) }
  }

  /// A record that was pushed.
  mutating func take(record bytes: [UInt8], from sender: HostID, now: Instant, verify: Verify) {
    do throws(WireError) {
      let digest = RecordDigest.of(bytes)
      if pool.holds(digest) {
        replication.answer(sender, seen: digest)
        return
      }
      let before = pool.hash
      guard take(try PoolRecord(bytes: bytes), from: sender, now: now, verify: verify, isLast: true) else { return }
      replication.answer(sender, seen: digest)
      if replication.isEpidemic, pool.hash != before {
        for target in replication.targets(except: [sender], using: &generator) {
          replication.send(.record(bytes), to: target)
        }
      }
    } catch {
      reject(sender, .malformed("record: \(error)"))
    }
  }

  /// - Returns: false if it was refused.
  @discardableResult
  private mutating func take(
    _ record: PoolRecord, from sender: HostID, now: Instant, verify: Verify, isLast: Bool
  ) -> Bool {
    if pool.holds(record.digest) { return true }
    do throws(WireError) {
      try RecordBody.validate(record)
      guard !pool.isLeap(record) else {
        if isLast { reject(sender, .leap("record counter")) }
        return false
      }
      let author = record.stamp.author
      var certificate = certificate(of: author)
      if certificate == nil, record.key == .admission(author) {
        certificate = try RecordBody.certificate(in: record.body)
      }
      guard verify(author, certificate, record.message, record.signature) else {
        if isLast { reject(sender, .badSignature(author)) }
        return false
      }
    } catch {
      if isLast { reject(sender, .malformed("record: \(error)")) }
      return false
    }
    merge(record, now: now)
    return true
  }

  private mutating func merge(_ record: PoolRecord, now: Instant) {
    let before = isAboutNetworks(record) ? conflicts : [:]
    guard pool.merge(record) == .news else { return }
    effects.append(.poolRecordsChanged)
    switch record.key {
    case .admission(let other): effects.append(.hostChanged(other))
    case .revocation(let other), .left(let other): expel(other, now: now)
    case .networkCreation(let id), .networkField(let id, _), .networkDeletion(let id):
      effects.append(.networkChanged(id))
      let after = conflicts
      for other in Set(before.keys).union(after.keys).sorted() where other != id && before[other] != after[other] {
        effects.append(.networkChanged(other))
      }
    case .unknown: break
    }
  }

  private func isAboutNetworks(_ record: PoolRecord) -> Bool {
    switch record.key {
    case .networkCreation, .networkDeletion: true
    default: false
    }
  }

  /// Everything of a host that left or was evicted goes at once.
  private mutating func expel(_ other: HostID, now: Instant) {
    replication.peerWent(other)
    if other != host {
      drop(other, keepingRecord: false, now: now)
      index.setHidden(false, other)
      let floor = ledgers.removeValue(forKey: other)?.floor
      if let floor { ledgers[other, default: HostLedger()].floor = floor }
    }
    effects.append(.hostChanged(other))
  }

  /// Each network that an earlier one (by creation stamp) keeps from carrying traffic, with that one.
  var conflicts: [NetworkID: NetworkID] {
    var result: [NetworkID: NetworkID] = [:]
    var byVNI: [VNI: NetworkID] = [:]
    var byBridge: [BridgeName: NetworkID] = [:]
    for network in pool.networks {
      if let earlier = byVNI[network.creation.vni] ?? byBridge[network.creation.bridge] { result[network.id] = earlier }
      if byVNI[network.creation.vni] == nil { byVNI[network.creation.vni] = network.id }
      if byBridge[network.creation.bridge] == nil { byBridge[network.creation.bridge] = network.id }
    }
    return result
  }

  /// Admissions first, then by stamp.
  static func readsBefore(_ left: PoolRecord, _ right: PoolRecord) -> Bool {
    let (a, b) = (isAdmission(left), isAdmission(right))
    if a != b { return a }
    if left.stamp != right.stamp { return left.stamp < right.stamp }
    return left.bytes.lexicographicallyPrecedes(right.bytes)
  }

  private static func isAdmission(_ record: PoolRecord) -> Bool {
    if case .admission = record.key { true } else { false }
  }

  package func certificate(of other: HostID) -> [UInt8]? {
    pool.records[.admission(other)].flatMap { try? RecordBody.certificate(in: $0.body) }
  }

  /// All evictions, in the order of their stamps.
  package var revocations: [Revocation] {
    pool.records.values.filter { if case .revocation = $0.key { true } else { false } }.sorted { $0.stamp < $1.stamp }
      .compactMap { record in
        guard case .revocation(let other) = record.key else { return nil }
        return Revocation(host: other, author: record.stamp.author, payload: record.body)
      }
  }
}
