import NIOSSL
import Wire

/// Why this host's TLS credentials could not be made.
package enum TLSCredentialsError: Error, Equatable, CustomStringConvertible {
  /// The certificate is not trusted by the pool itself.
  case untrusted(TrustError)
  /// The certificate is that of another host.
  case otherHost(HostID)
  case setUp(String)

  package var description: String {
    switch self {
    case .untrusted(let error): "This host's own certificate is of no use any more: \(error)"
    case .otherHost(let host):
      "The stored certificate is that of host \(host), not of this one: restore the right file."
    case .setUp(let why): "TLS could not be set up: \(why)."
    }
  }
}

/// What this host shows and accepts in TLS: version 1.3 only, certificates on both sides, no host names, no clock.
///
/// A value for one state of affairs; after a join, an eviction or a new certificate, make another.
package struct TLSCredentials: Sendable {
  package let host: HostID
  /// The certificates shown, DER: the host's own first, then the CA that signed it, then the host's older ones.
  package let chain: [[UInt8]]
  /// nil before this host has joined a pool.
  package let trust: PoolTrust?
  private let serverContext: NIOSSLContext
  private let clientContext: NIOSSLContext

  /// For a host in no pool: a certificate signed by its own identity key.
  package init(stranger identity: HostIdentity) throws(TLSCredentialsError) {
    let certificate: [UInt8]
    do {
      certificate = try CertificateForm.makeStranger(identity)
    } catch {
      throw .setUp("\(error)")
    }
    try self.init(identity, chain: [certificate], trust: nil)
  }

  /// For a member. It shows the certificate that the pool's current CA signed, and that CA, by which a joiner knows the
  /// pool; and after them its older certificates, for the same key, by which a host knows it that was away during an
  /// eviction and has not heard of the new CA.
  ///
  /// - Throws: if the pool trusts none of the certificates, or if they are another host's.
  package init(
    member identity: HostIdentity, certificates: OwnCertificates, trust: PoolTrust
  ) throws(TLSCredentialsError) {
    let trusted = certificates.trusted(by: trust)
    guard let first = trusted.first else {
      do {
        _ = try trust.trust(certificates.newestFirst.first ?? [])
      } catch {
        throw .untrusted(error)
      }
      throw .untrusted(.malformed)
    }
    for (certificate, _) in trusted {
      guard let found = try? trust.trust(certificate), found.id != identity.hostID else { continue }
      throw .otherHost(found.id)
    }
    try self.init(
      identity, chain: [first.certificate, first.authority] + trusted.dropFirst().map(\.certificate), trust: trust)
  }

  /// For a member with one certificate.
  package init(member identity: HostIdentity, certificate: [UInt8], trust: PoolTrust) throws(TLSCredentialsError) {
    try self.init(member: identity, certificates: OwnCertificates(certificate), trust: trust)
  }

  private init(
    _ identity: HostIdentity, chain: [[UInt8]], trust: PoolTrust?
  ) throws(TLSCredentialsError) {
    host = identity.hostID
    self.chain = chain
    self.trust = trust
    do {
      let key = try NIOSSLPrivateKey(bytes: Array(identity.signingKey.derRepresentation), format: .der)
      let certificates = try chain.map { try NIOSSLCertificate(bytes: $0, format: .der) }
      var server = TLSConfiguration.makeServerConfigurationWithMTLS(
        certificateChain: certificates.map { .certificate($0) }, privateKey: .privateKey(key),
        trustRoots: .certificates([]))
      server.minimumTLSVersion = .tlsv13
      server.shutdownTimeout = .seconds(1)
      serverContext = try NIOSSLContext(configuration: server)
      var client = TLSConfiguration.makeClientConfiguration()
      client.minimumTLSVersion = .tlsv13
      client.certificateChain = certificates.map { .certificate($0) }
      client.privateKey = .privateKey(key)
      client.trustRoots = .certificates([])
      client.certificateVerification = .noHostnameVerification
      client.shutdownTimeout = .seconds(1)
      clientContext = try NIOSSLContext(configuration: client)
    } catch {
      throw .setUp("\(error)")
    }
  }
}

extension TLSCredentials {
  /// The server's end. Every caller with a certificate may complete the handshake, so that one that is refused can be
  /// told why; `identify` says who it is.
  ///
  /// - Parameter received: given the caller's certificates (DER, its own first) during the handshake, on the event loop;
  ///   only when the handshake has completed is it proven that the caller holds their key.
  package func makeServerHandler(received: @escaping @Sendable ([[UInt8]]) -> Void) -> NIOSSLServerHandler {
    NIOSSLServerHandler(context: serverContext) { chain, promise in
      received(chain.prefix(Self.maximumChain).compactMap { try? $0.toDERBytes() })
      promise.succeed(.certificateVerified)
    }
  }

  /// Who shows these certificates (DER, its own first) as the client's.
  package func identify(_ chain: [[UInt8]]) -> PeerIdentification {
    do {
      let host = try Self.leaf(of: chain)
      if let trust {
        do {
          return .member(try Self.member(of: chain, leaf: host, trust: trust).id)
        } catch .notJoined {
          return .stranger(host.publicKey)
        }
      }
      return host.isSelfSigned ? .stranger(host.publicKey) : .refused(.otherPool(name: host.issuerPoolName))
    } catch {
      return .refused(error)
    }
  }

  /// The client's end. The server is checked during the handshake; if it is not whom `expectation` wants, `refuse` is
  /// called with the reason, on the event loop, and the handshake fails.
  package func makeClientHandler(
    expecting expectation: PeerExpectation, refuse: @escaping @Sendable (PeerVerificationError) -> Void
  ) throws -> NIOSSLClientHandler {
    try NIOSSLClientHandler(context: clientContext, serverHostname: nil) { chain, promise in
      do {
        _ = try verify(chain: chain.map { try $0.toDERBytes() }, expecting: expectation)
        promise.succeed(.certificateVerified)
      } catch {
        refuse(error as? PeerVerificationError ?? .untrusted(.malformed))
        promise.succeed(.failed)
      }
    }
  }

  /// Checks a server's certificates (DER, leaf first).
  ///
  /// - Returns: the host at the other end.
  package func verify(
    chain: [[UInt8]], expecting expectation: PeerExpectation
  ) throws(PeerVerificationError) -> HostID {
    guard !chain.isEmpty else { throw .noCertificate }
    switch expectation {
    case .pinnedCA(let pin): return try Self.host(of: chain, pin: pin)
    case .anyMember: return try member(of: chain)
    case .host(let expected):
      let found = try member(of: chain)
      guard found == expected else { throw .otherHost(expected: expected, found: found) }
      return found
    }
  }

  private func member(of chain: [[UInt8]]) throws(PeerVerificationError) -> HostID {
    guard let trust else { throw .noPool }
    do {
      return try Self.member(of: chain, leaf: try Self.leaf(of: chain), trust: trust).id
    } catch .notJoined(let host) {
      throw .notJoined(host)
    } catch {
      throw .untrusted(error)
    }
  }

  private static func leaf(of chain: [[UInt8]]) throws(TrustError) -> HostCertificate {
    guard let first = chain.first else { throw .malformed }
    return try HostCertificate(der: first)
  }

  /// TLS proves the key of the first certificate. Any other certificate for the same key says as much about its owner,
  /// so the first one that the pool trusts decides; if there is none, the first one's fault is told.
  private static func member(
    of chain: [[UInt8]], leaf: HostCertificate, trust: PoolTrust
  ) throws(TrustError) -> TrustedHost {
    let fault: TrustError
    do { return try trust.trust(chain[0]) } catch { fault = error }
    for certificate in chain.prefix(maximumChain).dropFirst() {
      if let host = try? trust.trust(certificate), host.key == leaf.publicKey { return host }
    }
    throw fault
  }

  private static func host(of chain: [[UInt8]], pin: Fingerprint) throws(PeerVerificationError) -> HostID {
    let host: HostCertificate
    do { host = try leaf(of: chain) } catch { throw .untrusted(error) }
    guard !host.isSelfSigned else { throw .notJoined(host.publicKey.hostID) }
    guard let pinned = chain.prefix(maximumChain).first(where: { Fingerprint(of: $0) == pin }),
      let authority = AuthorityCertificate(der: pinned)
    else { throw .otherCA(poolName: host.issuerPoolName) }
    guard host.isSigned(by: authority.key) else { throw .notSignedByPinnedCA }
    return host.publicKey.hostID
  }

  /// An honest host shows its certificate, a CA and its older certificates; what follows is not looked at.
  private static let maximumChain = OwnCertificates.maximumCount + 1
}
