import Wire

/// What is to happen to some of the host's own tunnel traffic (RFC 4301 section 4.4.1).
package struct XFRMPolicy: Hashable, Sendable {
  package enum Direction: Hashable, Sendable {
    case input
    case output
  }

  package enum Traffic: Hashable, Sendable {
    /// To this UDP port.
    case udp(port: UInt16)
    /// With this GRE key (RFC 2890).
    case gre(key: UInt32)
  }

  package enum Action: Hashable, Sendable {
    /// From any address to any of one family: dropped, unless a policy that protects comes first.
    case block(isV6: Bool)
    /// From one host to another: ESP in transport mode by a state of ours. An output policy names the SPI of the state
    /// that is to be used; an input policy names none and takes all of ours.
    case protect(source: VTEP, destination: VTEP, spi: UInt32?)
  }

  package var direction: Direction
  package var traffic: Traffic
  package var action: Action

  package init(direction: Direction, traffic: Traffic, action: Action) {
    self.direction = direction
    self.traffic = traffic
    self.action = action
  }
}

extension XFRMPolicy: CustomStringConvertible {
  package var description: String {
    let kind = direction == .input ? "input" : "output"
    let what =
      switch traffic {
      case .udp(let port): "UDP port \(port)"
      case .gre(let key): "GRE key \(key)"
      }
    switch action {
    case .block(let isV6): return "the \(kind) policy that blocks \(what) over IPv\(isV6 ? 6 : 4)"
    case .protect(let source, let destination, let spi):
      let name = spi.map { " by SPI 0x" + String($0, radix: 16) } ?? ""
      return "the \(kind) policy that protects \(what) from \(source) to \(destination)\(name)"
    }
  }
}
