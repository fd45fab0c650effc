import Wire

/// Why the payload of a revocation was not taken.
package enum EvictionError: Error, Equatable, CustomStringConvertible {
  case malformed(WireError)
  case newerVersion(UInt8)
  case notAuthority
  case otherPool
  case tooMany
  case alreadyEvicted(HostID)
  case authority(PoolCAError)

  package var description: String {
    switch self {
    case .malformed(let error): "An eviction record cannot be read (\(error)): it was damaged where it was stored."
    case .newerVersion(let version):
      "An eviction record has version \(version), of a newer release: update weftd on this host."
    case .notAuthority: "An eviction record holds something that is not a CA certificate."
    case .otherPool: "An eviction record belongs to another pool."
    case .tooMany: "The pool has seen more evictions than fit: make a new pool."
    case .alreadyEvicted(let host): "Host \(host) was evicted before: there is nothing left to do."
    case .authority(let error): "\(error)"
    }
  }
}

/// What an eviction says to every host: the new CA, which older ones it retires, whom those still vouch for.
struct EvictionRecord: Hashable {
  static let version: UInt8 = 1
  static let maximumHosts = 8192
  static let maximumAuthorities = 4096

  /// The new CA's certificate. Its private key goes to hosts of the pool over TLS, never into a record.
  var authority: [UInt8]
  /// The CAs that vouch only for `vouched` from now on.
  var retired: [Fingerprint]
  /// The hosts of the pool at that moment, without the evicted ones.
  var vouched: [HostID]
  /// Every host evicted so far, as far as the author knew, the one evicted now included.
  var revoked: [HostID]

  func encoded() -> [UInt8] {
    var writer = ByteWriter(capacity: 1024 + retired.count * 32 + (vouched.count + revoked.count) * 16)
    writer.append(Self.version)
    writer.appendBlock16(authority)
    writer.append(UInt16(retired.count))
    for fingerprint in retired { writer.append(fingerprint.bytes) }
    writer.append(UInt16(vouched.count))
    for host in vouched { writer.append(host) }
    writer.append(UInt16(revoked.count))
    for host in revoked { writer.append(host) }
    return writer.bytes
  }

  init(authority: [UInt8], retired: [Fingerprint], vouched: [HostID], revoked: [HostID]) {
    self.authority = authority
    self.retired = retired
    self.vouched = vouched
    self.revoked = revoked
  }

  init(_ bytes: [UInt8]) throws(EvictionError) {
    do {
      var reader = ByteReader(bytes)
      let version = try reader.readUInt8("eviction version")
      guard version == Self.version else { throw EvictionError.newerVersion(version) }
      authority = try reader.readBlock16("CA certificate")
      retired = []
      for _ in 0..<(try Self.count(&reader, "retired CAs", maximum: Self.maximumAuthorities)) {
        let bytes = try reader.readBytes(Fingerprint.size, "fingerprint")
        guard let fingerprint = Fingerprint(bytes: bytes) else { throw WireError.invalid("fingerprint") }
        retired.append(fingerprint)
      }
      vouched = try Self.hosts(&reader, "vouched hosts")
      revoked = try Self.hosts(&reader, "evicted hosts")
      try reader.expectEnd()
    } catch let error as EvictionError {
      throw error
    } catch let error as WireError {
      throw .malformed(error)
    } catch {
      throw .malformed(.invalid("eviction record"))
    }
  }

  private static func count(_ reader: inout ByteReader, _ what: String, maximum: Int) throws(WireError) -> Int {
    let count = Int(try reader.readUInt16(what))
    guard count <= maximum else { throw .invalid(what) }
    return count
  }

  private static func hosts(_ reader: inout ByteReader, _ what: String) throws(WireError) -> [HostID] {
    var hosts: [HostID] = []
    for _ in 0..<(try count(&reader, what, maximum: maximumHosts)) { hosts.append(try reader.readHostID()) }
    return hosts
  }
}
