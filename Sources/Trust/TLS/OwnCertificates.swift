import Wire

/// The certificates that a host has for its own key: that of its admission, and one more of each later CA of the pool.
///
/// A host issues itself one with every new CA's key that it is handed. It keeps the older ones: they are how a host that
/// was away during an eviction knows it again.
package struct OwnCertificates: Sendable, Equatable {
  /// More are not kept; the oldest goes.
  package static let maximumCount = 8
  private static let form = StoredForm(what: "the host's certificates", letters: "WFce", version: 1)

  /// DER.
  package private(set) var newestFirst: [[UInt8]]

  package init(_ certificate: [UInt8]) { newestFirst = [certificate] }

  package mutating func add(_ certificate: [UInt8]) {
    newestFirst.removeAll { $0 == certificate }
    newestFirst.insert(certificate, at: 0)
    newestFirst = Array(newestFirst.prefix(Self.maximumCount))
  }

  /// The one to show where there is room for one only: signed by the pool's current CA, or else the newest that the pool
  /// trusts; nil if it trusts none.
  package func preferred(by trust: PoolTrust) -> [UInt8]? { trusted(by: trust).first?.certificate }

  /// Those that the pool trusts with the CAs that signed them, that of the current CA first, then the newest.
  func trusted(by trust: PoolTrust) -> [(certificate: [UInt8], authority: [UInt8])] {
    var found = newestFirst.compactMap { certificate -> (certificate: [UInt8], authority: [UInt8])? in
      guard (try? trust.trust(certificate)) != nil, let authority = trust.issuer(of: certificate) else { return nil }
      return (certificate, authority)
    }
    if let current = found.firstIndex(where: { Fingerprint(of: $0.authority) == trust.currentCA }) {
      found.insert(found.remove(at: current), at: 0)
    }
    return found
  }

  /// Reads what `encoded` gave.
  package init(encoded: [UInt8]) throws(StoredFormError) {
    let payload = try Self.form.decode(encoded)
    do {
      var reader = ByteReader(payload)
      newestFirst = []
      while !reader.isAtEnd { newestFirst.append(try reader.readBlock16()) }
      guard (1...Self.maximumCount).contains(newestFirst.count) else { throw WireError.invalid("count") }
    } catch {
      throw .damaged(what: Self.form.what)
    }
  }

  /// The stored form. Nothing in it is secret.
  package var encoded: [UInt8] {
    var writer = ByteWriter()
    for certificate in newestFirst { writer.appendBlock16(certificate) }
    return Self.form.encode(writer.bytes)
  }
}
