import Wire

/// Names, marks and addresses of the devices of a network.
package enum OverlayNames {
  /// UDP port of VXLAN in networks with encryption off. 4789 belongs to Open vSwitch on Xen hosts.
  package static let clearVXLANPort: UInt16 = 7680

  /// UDP port of VXLAN in encrypted networks, only ever inside ESP.
  package static let protectedVXLANPort: UInt16 = 7679

  package static func vxlan(_ vni: VNI) -> String { "wx\(vni)" }

  /// The TAP of a network that this agent carries itself.
  package static func tap(_ vni: VNI) -> String { "wt\(vni)" }

  /// nil for what is no such name.
  package static func vni(ofTAP name: String) -> VNI? {
    guard name.hasPrefix("wt"), let number = UInt32(name.dropFirst(2)), let vni = VNI(number) else { return nil }
    return tap(vni) == name ? vni : nil
  }

  /// `wr<VNI>.<peer>`, both in base 36, 15 characters at most: the peer is 35 bits of its ID.
  ///
  /// - Parameter attempt: 0 for the first 35 bits, 1 and 2 for those behind them: two hosts can have the same.
  package static func gre(_ vni: VNI, peer: HostID, attempt: Int = 0) -> String {
    let bits =
      switch attempt {
      case 0: peer.high >> 29
      case 1: (peer.high & 0x1fff_ffff) << 6 | peer.low >> 58
      default: (peer.low << 6) >> 29
      }
    return "wr" + String(vni.value, radix: 36) + "." + String(bits, radix: 36)
  }

  /// How many names a GRE device can have.
  package static let greAttempts = 3

  /// Drawn from the network and the host, locally administered: the same after every restart, another on every host, and
  /// no interface's but this one's. It also tells a device of ours that did not get its alias yet.
  package static func mac(_ device: Device, network: NetworkID, host: HostID) -> MACAddress {
    var state = SeededGenerator(seed: device.salt)
    var word: UInt64 = 0
    var parts = [network.high, network.low, host.high, host.low]
    if case .tunnelTo(let peer) = device { parts += [peer.high, peer.low] }
    for part in parts {
      state = SeededGenerator(seed: state.next() ^ part)
      word = state.next()
    }
    // Second bit of the first octet set (local), lowest clear (one station).
    let bits = word & 0xfcff_ffff_ffff | 0x0200_0000_0000
    return MACAddress(bits & 0xffff_ffff_ffff) ?? .zero
  }

  package enum Device: Hashable, Sendable {
    case bridge
    /// The one tunnel to all hosts: of VXLAN, or a TAP.
    case tunnel
    /// The tunnel of GRE to one host.
    case tunnelTo(HostID)

    fileprivate var salt: UInt64 {
      switch self {
      case .bridge: 1
      case .tunnel: 2
      case .tunnelTo: 3
      }
    }
  }
}

/// The alias of every device of ours: `weft:<pool>:<network UUID>`.
package struct OverlayAlias: Hashable, Sendable, CustomStringConvertible {
  package var pool: String
  package var network: NetworkID

  package init(pool: String, network: NetworkID) {
    self.pool = pool
    self.network = network
  }

  /// nil for an alias that Weft did not make.
  package init?(_ text: String) {
    guard text.hasPrefix("weft:"), let colon = text.lastIndex(of: ":") else { return nil }
    let start = text.index(text.startIndex, offsetBy: 5)
    guard start <= colon, let network = NetworkID(String(text[text.index(after: colon)...])) else { return nil }
    pool = String(text[start..<colon])
    self.network = network
  }

  package var description: String { "weft:\(pool):\(network)" }
}
