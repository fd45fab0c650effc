import NIOSSL
import Wire

/// Why this host's TLS credentials could not be made.
package enum TLSCredentialsError: Error, Equatable, CustomStringConvertible {
  /// The certificate is not trusted by the pool itself.
  case untrusted(TrustError)
  /// The certificate is that of another host.
  case otherHost(HostID)
  case library(String)

  package var description: String {
    switch self {
    case .untrusted(let error): "This host's own certificate is of no use any more: \(error)"
    case .otherHost(let host):
      "The stored certificate is that of host \(host), not of this one: restore the right file."
    case .library(let why): "TLS could not be set up: \(why)."
    }
  }
}

/// What this host shows and accepts in TLS: version 1.3 only, certificates on both sides, no host names, no clock.
///
/// A value for one state of affairs; after a join, an eviction or a new certificate, make another.
package struct TLSCredentials: Sendable {
  package let host: HostID
  /// The certificate shown, DER.
  package let certificate: [UInt8]
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
      throw .library("\(error)")
    }
    try self.init(identity, chain: [certificate], trust: nil)
  }

  /// For a member: its certificate, and the CA that signed it, by which a joiner knows the pool.
  package init(
    member identity: HostIdentity, certificate: [UInt8], trust: PoolTrust
  ) throws(TLSCredentialsError) {
    let found: TrustedHost
    do { found = try trust.trust(certificate) } catch { throw .untrusted(error) }
    guard found.id == identity.hostID else { throw .otherHost(found.id) }
    guard let authority = trust.issuer(of: certificate) else { throw .untrusted(.otherPool(name: nil)) }
    try self.init(identity, chain: [certificate, authority], trust: trust)
  }

  private init(
    _ identity: HostIdentity, chain: [[UInt8]], trust: PoolTrust?
  ) throws(TLSCredentialsError) {
    host = identity.hostID
    certificate = chain[0]
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
      throw .library("\(error)")
    }
  }
}

extension TLSCredentials {
  /// The server's end. Every caller with a certificate may complete the handshake, so that one that is refused can be
  /// told why; `identify` says who it is.
  package func makeServerHandler() -> NIOSSLServerHandler {
    NIOSSLServerHandler(context: serverContext) { _, promise in promise.succeed(.certificateVerified) }
  }

  /// Who shows this certificate (DER) as the client's.
  package func identify(_ certificate: [UInt8]) -> PeerIdentification {
    let host: HostCertificate
    do { host = try HostCertificate(der: certificate) } catch { return .refused(error) }
    if let trust {
      do {
        return .member(try trust.trust(certificate).id)
      } catch .notJoined {
        return .stranger(host.publicKey)
      } catch {
        return .refused(error)
      }
    }
    return host.isSelfSigned ? .stranger(host.publicKey) : .refused(.otherPool(name: host.issuerPoolName))
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
    guard let leaf = chain.first else { throw .noCertificate }
    switch expectation {
    case .pinnedCA(let pin): return try verify(leaf: leaf, of: chain, pin: pin)
    case .anyMember: return try member(leaf)
    case .host(let expected):
      let found = try member(leaf)
      guard found == expected else { throw .otherHost(expected: expected, found: found) }
      return found
    }
  }

  private func member(_ leaf: [UInt8]) throws(PeerVerificationError) -> HostID {
    guard let trust else { throw .noPool }
    do {
      return try trust.trust(leaf).id
    } catch .notJoined(let host) {
      throw .notJoined(host)
    } catch {
      throw .untrusted(error)
    }
  }

  private func verify(
    leaf: [UInt8], of chain: [[UInt8]], pin: Fingerprint
  ) throws(PeerVerificationError) -> HostID {
    let host: HostCertificate
    do { host = try HostCertificate(der: leaf) } catch { throw .untrusted(error) }
    guard !host.isSelfSigned else { throw .notJoined(host.publicKey.hostID) }
    // No more than the few certificates that an honest chain has are looked at.
    guard let pinned = chain.prefix(4).first(where: { Fingerprint(of: $0) == pin }),
      let authority = AuthorityCertificate(der: pinned)
    else { throw .otherCA(poolName: host.issuerPoolName) }
    guard host.isSigned(by: authority.key) else { throw .notSignedByPinnedCA }
    return host.publicKey.hostID
  }
}
