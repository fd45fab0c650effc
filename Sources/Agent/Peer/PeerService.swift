import Wire

/// What answers the requests that come in over TLS.
package protocol PeerService: Sendable {
  /// Answers one request; its bytes are opaque to the transport. Requests of several connections come at once.
  ///
  /// - Returns: at most `PeerLimits.maximumMessage` bytes.
  func respond(to request: [UInt8], from principal: PeerPrincipal) async -> [UInt8]

  /// A caller was turned away. Told so that it can be shown; a flood of them is thinned out.
  func refused(_ refusal: PeerRefusal) async
}

/// A caller that was turned away.
package struct PeerRefusal: Sendable, Hashable, CustomStringConvertible {
  package let address: IPAddress?
  /// One sentence.
  package let reason: String

  package init(address: IPAddress?, reason: String) {
    self.address = address
    self.reason = reason
  }

  package var description: String { "Turned away \(address.map { "\($0)" } ?? "a caller"): \(reason)" }
}
