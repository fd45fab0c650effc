import NIOCore
import Wire

extension SocketAddress {
  init(_ endpoint: Endpoint) throws {
    try self.init(ipAddress: endpoint.address.description, port: Int(endpoint.port))
  }

  var wireAddress: IPAddress? {
    // The scope of a link-local address, behind a '%', is no part of ours.
    ipAddress.flatMap { $0.split(separator: "%").first }.flatMap { IPAddress(String($0)) }
  }

  var endpoint: Endpoint? {
    guard let address = wireAddress, let port, let port = UInt16(exactly: port) else { return nil }
    return Endpoint(address: address, port: port)
  }
}

extension TimeAmount {
  init(clamping duration: Duration) {
    let (seconds, attoseconds) = duration.components
    self = .nanoseconds(min(max(seconds, 0), 1 << 32) * 1_000_000_000 + max(attoseconds, 0) / 1_000_000_000)
  }
}
