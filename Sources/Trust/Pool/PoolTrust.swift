import Crypto
import Wire

/// A host whose certificate is trusted.
package struct TrustedHost: Hashable, Sendable {
  package let id: HostID
  package let key: HostPublicKey
}

/// Who is a member of the pool, judged by certificates alone: the pool's CAs, and what evictions made of them.
///
/// It is a function of the first CA and of the set of eviction records, in whatever order they came, so all hosts that
/// know the same records judge alike. A CA is *active*, that is, vouches for every key it signed, if no record retires
/// it and its own record knew of every eviction that is known now. The second half is for two evictions at once: each
/// hands its new CA to the host that the other one evicts, so neither is worth anything when both are known; then
/// `currentCA` is nil and any host calls `renew(members:)`. A retired CA vouches for the hosts that every record which
/// retires it lists. No clock is read anywhere.
package struct PoolTrust: Sendable {
  private struct Authority {
    var certificate: AuthorityCertificate
    /// nil: active.
    var vouched: Set<HostID>?
  }

  package let pool: PoolID
  package let poolName: String
  private let root: AuthorityCertificate
  private var records: [Fingerprint: EvictionRecord] = [:]
  private var authorities: [Fingerprint: Authority] = [:]
  /// Every host ever evicted.
  package private(set) var revoked: Set<HostID> = []
  /// The CA that new certificates are to be made with; nil if an eviction at the same time elsewhere left none.
  package private(set) var currentCA: Fingerprint?

  private static let form = StoredForm(what: "the pool's trust", letters: "WFtr", version: 1)

  /// - Parameter rootCertificate: the first CA that the pool had, DER.
  package init(rootCertificate: [UInt8]) throws(PoolCAError) {
    guard let root = AuthorityCertificate(der: rootCertificate) else { throw .notAuthority }
    self.root = root
    pool = root.pool
    poolName = root.poolName
    update()
  }

  /// The CA certificates, DER, the first one of the pool first, the others ordered by fingerprint.
  package var caCertificates: [[UInt8]] {
    [root.der]
      + authorities.filter { $0.key != root.fingerprint }.sorted { $0.key < $1.key }.map(\.value.certificate.der)
  }

  /// nil for a CA that the pool never had.
  package func caCertificate(_ fingerprint: Fingerprint) -> [UInt8]? { authorities[fingerprint]?.certificate.der }

  /// Says whose certificate this is, if its host is a member now.
  package func trust(_ certificate: [UInt8]) throws(TrustError) -> TrustedHost {
    let host = try HostCertificate(der: certificate)
    let id = host.publicKey.hostID
    guard !revoked.contains(id) else { throw .revoked(id) }
    guard let issuer = issuer(of: host) else {
      if host.isSelfSigned { throw .notJoined(id) }
      throw host.issuerPool == pool ? .unknownCA(id) : .otherPool(name: host.issuerPoolName)
    }
    if let vouched = issuer.vouched, !vouched.contains(id) { throw .notVouched(id) }
    return TrustedHost(id: id, key: host.publicKey)
  }

  /// The CA certificate, DER, that a host certificate was signed with; nil if it is none of this pool's.
  package func issuer(of certificate: [UInt8]) -> [UInt8]? {
    guard let host = try? HostCertificate(der: certificate) else { return nil }
    return issuer(of: host)?.certificate.der
  }

  private func issuer(of host: HostCertificate) -> Authority? {
    guard let identifier = host.issuerKeyIdentifier else { return nil }
    // The identifier only chooses; the signature decides. Sorted, so that equal identifiers end alike everywhere.
    for fingerprint in authorities.keys.sorted() {
      guard let authority = authorities[fingerprint], authority.certificate.keyIdentifier.elementsEqual(identifier),
        host.isSigned(by: authority.certificate.key)
      else { continue }
      return authority
    }
    return nil
  }

  /// The key of a host whose certificate some CA of this pool signed once, whatever became of the host or the CA since:
  /// for the signatures under what it wrote while it was a member, and for nothing else.
  package func onceTrusted(_ certificate: [UInt8]) -> HostPublicKey? {
    guard let host = try? HostCertificate(der: certificate), issuer(of: host) != nil else { return nil }
    return host.publicKey
  }

  /// Makes the eviction records exactly these: what the pool's records hold now. Of two evictions of one host at once the
  /// pool keeps one, so a host that has applied the other one has to give it up again.
  ///
  /// - Returns: whether the trust changed, and why records were left out.
  package mutating func adopt(_ payloads: some Sequence<[UInt8]>) -> (changed: Bool, faults: [EvictionError]) {
    let before = Set(records.keys)
    var faults: [EvictionError] = []
    records = [:]
    for payload in payloads {
      do { try insert(payload) } catch { faults.append(error) }
    }
    update()
    return (Set(records.keys) != before, faults)
  }

  /// Takes the payload of a revocation, from whomever and in whatever order.
  ///
  /// - Returns: whether it was new.
  package mutating func apply(_ record: [UInt8]) throws(EvictionError) -> Bool {
    guard try insert(record) else { return false }
    update()
    return true
  }

  @discardableResult
  private mutating func insert(_ record: [UInt8]) throws(EvictionError) -> Bool {
    let digest = Fingerprint(of: record)
    if records[digest] != nil { return false }
    guard records.count < EvictionRecord.maximumAuthorities - 1 else { throw .tooMany }
    let parsed = try EvictionRecord(record)
    guard let authority = AuthorityCertificate(der: parsed.authority) else { throw .notAuthority }
    guard authority.pool == pool else { throw .otherPool }
    records[digest] = parsed
    return true
  }

  /// Makes a new CA and the record that evicts `host`; applied here already. The caller spreads the record, hands the
  /// CA's key to the members and to nobody else, and gives the pool no certificate of an older CA from then on.
  ///
  /// - Parameter members: the hosts that the older CAs go on to vouch for; evicted ones are left out.
  package mutating func evict(
    _ host: HostID, members: some Sequence<HostID>
  ) throws(EvictionError) -> (ca: PoolCA, record: [UInt8]) {
    guard !revoked.contains(host) else { throw .alreadyEvicted(host) }
    return try replaceAuthority(members: members, revoked: revoked.union([host]))
  }

  /// Makes a new CA when `currentCA` is nil, that is, after two evictions at once; evicts nobody.
  package mutating func renew(members: some Sequence<HostID>) throws(EvictionError) -> (ca: PoolCA, record: [UInt8]) {
    try replaceAuthority(members: members, revoked: revoked)
  }

  private mutating func replaceAuthority(
    members: some Sequence<HostID>, revoked: Set<HostID>
  ) throws(EvictionError) -> (ca: PoolCA, record: [UInt8]) {
    let ca: PoolCA
    do { ca = try PoolCA(poolName: poolName, pool: pool) } catch { throw .authority(error) }
    let vouched = Set(members).subtracting(revoked).sorted()
    guard vouched.count <= EvictionRecord.maximumHosts, revoked.count <= EvictionRecord.maximumHosts else {
      throw .tooMany
    }
    let record = EvictionRecord(
      authority: ca.certificate, retired: authorities.keys.sorted(), vouched: vouched, revoked: revoked.sorted()
    ).encoded()
    _ = try apply(record)
    return (ca, record)
  }

  /// Works everything out of the records again: there are few, and so no order can matter.
  private mutating func update() {
    revoked = records.values.reduce(into: []) { $0.formUnion($1.revoked) }
    authorities = [root.fingerprint: Authority(certificate: root, vouched: records.isEmpty ? nil : [])]
    var retired: [Fingerprint: Set<HostID>] = [:]
    for digest in records.keys.sorted() {
      guard let record = records[digest], let certificate = AuthorityCertificate(der: record.authority) else {
        continue
      }
      let knewAll = revoked.isSubset(of: record.revoked)
      var vouched: Set<HostID>? = knewAll ? nil : Set(record.vouched)
      if let before = authorities[certificate.fingerprint]?.vouched {
        vouched = vouched.map(before.intersection) ?? before
      }
      authorities[certificate.fingerprint] = Authority(certificate: certificate, vouched: vouched)
      for fingerprint in record.retired {
        retired[fingerprint] = retired[fingerprint]?.intersection(record.vouched) ?? Set(record.vouched)
      }
    }
    for (fingerprint, vouched) in retired { authorities[fingerprint]?.vouched = vouched }
    currentCA = authorities.filter { $0.value.vouched == nil }.keys.min()
  }
}

extension PoolTrust {
  /// Reads what `encoded` gave.
  package init(encoded: [UInt8]) throws(StoredFormError) {
    let what = Self.form.what
    let payload = try Self.form.decode(encoded)
    do {
      var reader = ByteReader(payload)
      try self.init(rootCertificate: try reader.readBlock16())
      while !reader.isAtEnd { try insert(try reader.readBlock32()) }
      update()
    } catch {
      throw .damaged(what: what)
    }
  }

  /// The stored form: the first CA certificate and all eviction records. Nothing in it is secret.
  package var encoded: [UInt8] {
    var writer = ByteWriter()
    writer.appendBlock16(root.der)
    for digest in records.keys.sorted() {
      if let record = records[digest] { writer.appendBlock32(record.encoded()) }
    }
    return Self.form.encode(writer.bytes)
  }
}
