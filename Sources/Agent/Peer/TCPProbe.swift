import Membership
import Security
import Wire

/// Asks over TCP whether a host that is silent on UDP is alive, and if not its agent then at least its kernel.
package enum TCPProbe {
  /// Connects and does the TLS handshake, no more.
  ///
  /// - Parameter host: only this host's own handshake counts as its agent's; anything else that accepts or resets the
  ///   connection counts as its kernel.
  package static func probe(
    _ endpoint: Endpoint, host: HostID, from localAddress: IPAddress? = nil, credentials: TLSCredentials,
    timeout: Duration
  ) async -> Membership.TCPProbeOutcome {
    do {
      _ = try await PeerClient.exchange(
        endpoint, from: localAddress, credentials: credentials, expecting: .host(host), request: nil,
        timeout: timeout)
      return .agent
    } catch {
      switch error {
      case .refusedConnection, .timedOut(_, .handshake), .timedOut(_, .answer), .closed, .untrusted, .refused, .notWeft:
        return .kernel
      case .noRoute, .localAddress, .timedOut(_, .connecting), .requestTooLong, .cancelled, .other: return .silent
      }
    }
  }
}
