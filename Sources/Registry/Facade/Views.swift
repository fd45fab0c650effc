import Wire

/// A network as it is shown and as the data path needs it.
package struct NetworkView: Hashable, Sendable {
  package enum State: Hashable, Sendable {
    case ok
    /// An earlier network has its VNI or bridge: it carries no traffic.
    case conflict(with: NetworkID)
    /// It does not stand on some live host, or not as it should; see `problems`.
    case degraded
  }

  package var id: NetworkID
  package var name: NetworkName
  package var vni: VNI
  package var bridge: BridgeName
  package var encapsulation: Encapsulation
  package var encryption: Encryption
  package var mtu: NetworkMTU
  package var options: [NetworkOption]
  package var state: State
  /// Visible hosts on which the network does not stand as it should, with their reasons, in the order of host IDs.
  package var problems: [HostProblem]
  /// Visible hosts that say that the network stands there, in order.
  package var standing: [HostID]
  package var author: HostID
}

package struct NetworkOption: Hashable, Sendable {
  package var name: String
  package var value: String
}

package struct HostProblem: Hashable, Sendable {
  package var host: HostID
  package var reason: String
}

/// A host as the pool's records and its own statements show it.
package struct HostView: Hashable, Sendable {
  package enum Standing: Hashable, Sendable {
    case member
    case left
    case evicted
  }

  package var id: HostID
  package var standing: Standing
  /// As last told by `hostState`; nil if never.
  package var memberState: MemberState?
  package var boot: Boot?
  package var record: HostRecord?
  /// Up to where its statements are held without a gap.
  package var version: Version
  /// Its first full set in this boot has been heard.
  package var isComplete: Bool
  /// Its bindings do not count before anybody visible's.
  package var isHidden: Bool
  /// DER, opaque here.
  package var certificate: [UInt8]?
}

/// One line of `weft mac list`.
package struct BindingView: Hashable, Sendable {
  package enum State: Hashable, Sendable {
    case present
    case live
  }

  package var network: NetworkID
  package var mac: MACAddress
  package var host: HostID
  package var state: State
  package var sequence: MobilitySequence
  package var ips: [IPAddress]
  package var vif: String
  package var vm: String
  package var isBackedByXen: Bool
  /// Two VIFs of this MAC transmit; see `rivals`.
  package var isDuplicate: Bool
  package var isHidden: Bool
  package var isDamped: Bool
  /// The other VIFs that have this MAC, on other hosts and on the owner.
  package var rivals: [Rival]

  package struct Rival: Hashable, Sendable {
    package var host: HostID
    package var vif: String
    package var vm: String
    package var sequence: MobilitySequence
    package var isTransmitting: Bool
  }
}

/// The (boot, version) below which nothing of a purged host is taken up again.
package struct Floor: Hashable, Sendable {
  package var host: HostID
  package var boot: Boot
  package var version: Version

  package init(host: HostID, boot: Boot, version: Version) {
    self.host = host
    self.boot = boot
    self.version = version
  }
}
