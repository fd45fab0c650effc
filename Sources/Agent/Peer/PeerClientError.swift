import Trust
import Wire

/// Why a request over TLS has no answer.
package enum PeerClientError: Error, Equatable, CustomStringConvertible {
  /// How far the call had come.
  package enum Stage: Equatable, Sendable {
    case connecting, handshake, answer
  }

  /// The host is there, but nothing listens on the port.
  case refusedConnection(Endpoint)
  case noRoute(Endpoint)
  /// `localAddress` is not an address of this host.
  case localAddress(IPAddress)
  case timedOut(Endpoint, Stage)
  case closed(Endpoint, Stage)
  /// The host at the other end is not the one that was wanted; nothing was sent to it.
  case untrusted(Endpoint, PeerVerificationError)
  /// The other side turned this host away, in its own words.
  case refused(Endpoint, sentence: String)
  case notWeft(Endpoint, reason: String)
  case requestTooLong(Int)
  case cancelled
  case other(Endpoint, String)

  package var description: String {
    switch self {
    case .refusedConnection(let endpoint):
      "Nothing listens on TCP \(endpoint): start weftd there, or check the address and the port."
    case .noRoute(let endpoint):
      "There is no way to \(endpoint.address): check the underlay of this host and of the other one."
    case .localAddress(let address):
      "\(address) is not an address of this host: give one that `ip address` shows with --underlay."
    case .timedOut(let endpoint, .connecting):
      "TCP \(endpoint) does not answer: check the address, and that no firewall drops TCP to that port."
    case .timedOut(let endpoint, _):
      "\(endpoint) accepted the connection but does not answer: look at weftd on that host (`weft doctor` there)."
    case .closed(let endpoint, .answer):
      "\(endpoint) closed the connection before it answered: look at the log of weftd on that host."
    case .closed(let endpoint, _):
      "\(endpoint) closed the connection at once: it is too busy, or something other than weftd listens there."
    case .untrusted(let endpoint, let error): "\(endpoint) is not whom this host wants to talk to: \(error)."
    case .refused(let endpoint, let sentence): "\(endpoint) turned this host away: \(sentence)"
    case .notWeft(let endpoint, let reason):
      "What listens on TCP \(endpoint) does not talk like weftd: \(reason) Check the address and the port."
    case .requestTooLong(let count):
      "A request of \(count) bytes is too long: \(PeerLimits.maximumMessage) are allowed."
    case .cancelled: "The request was given up."
    case .other(let endpoint, let reason): "The request to \(endpoint) failed: \(reason)"
    }
  }
}
