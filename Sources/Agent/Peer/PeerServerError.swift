import Wire

/// Why the server cannot listen.
package enum PeerServerError: Error, Equatable, CustomStringConvertible {
  case portTaken(Endpoint)
  case addressNotHere(IPAddress)
  case notPermitted(Endpoint)
  case other(Endpoint, String)

  package var description: String {
    switch self {
    case .portTaken(let endpoint):
      "TCP \(endpoint) is taken by another program: stop it (`ss -ltnp` shows it), or choose another --port on every host."
    case .addressNotHere(let address):
      "\(address) is not an address of this host: give one that `ip address` shows with --underlay."
    case .notPermitted(let endpoint): "There is no permission to listen on TCP \(endpoint): run weftd as root."
    case .other(let endpoint, let why): "TCP \(endpoint) cannot be listened on: \(why)."
    }
  }
}
