import Membership
import Trust
import Wire

/// Asks over TCP whether a host that is silent on UDP is alive, and if not its agent then at least its kernel.
package enum TCPProbe {
  /// Connects, does the TLS handshake and asks for a `pong`, which comes from the thread that decides: an agent that only
  /// shakes hands is stuck.
  ///
  /// - Parameter host: only this host's own answer counts as its agent's; anything else that accepts or resets the
  ///   connection counts as its kernel.
  package static func probe(
    _ endpoint: Endpoint, host: HostID, from localAddress: IPAddress? = nil, credentials: TLSCredentials,
    timeout: Duration
  ) async -> Membership.TCPProbeOutcome {
    do {
      let ping = (try? PeerMessage.ping.encoded()) ?? []
      let answer = try await PeerClient.call(
        endpoint, from: localAddress, credentials: credentials, expecting: .host(host), request: ping,
        timeout: timeout)
      return (try? PeerMessage.decode(answer)) == .pong ? .agent : .kernel
    } catch {
      switch error {
      case .refusedConnection, .timedOut(_, .handshake), .timedOut(_, .answer), .closed, .untrusted, .refused, .notWeft:
        return .kernel
      case .noRoute, .localAddress, .timedOut(_, .connecting), .requestTooLong, .cancelled, .other: return .silent
      }
    }
  }
}
