import Wire

extension Registry {
  /// What the shell has to do after an input, in this order.
  package enum Effect: Hashable, Sendable {
    /// Another host owns the MAC now, or its owner became hidden or visible: the unicast FDB entry follows.
    case bindingChanged(NetworkID, MACAddress, old: Binding?, new: Binding?)
    /// `floodList(_:)` of the network changed.
    case floodChanged(NetworkID)
    /// The network's record, state or list of problems changed, or it came or went.
    case networkChanged(NetworkID)
    /// The host's record or standing in the pool changed.
    case hostChanged(HostID)
    /// The port on which the MAC is live here; nil when it is not any more.
    case localMAC(NetworkID, MACAddress, vif: String?)
    /// Frames for one host; those of one turn fit in as few packets as the shell can make of them.
    case send([GossipFrame], to: HostID)
    /// Send this host's advert frame at once.
    case advertise(to: HostID)
    /// Exchange digests with the host over TCP, beginning with `syncRequest(to:)`.
    case sync(with: HostID)
    /// Write `poolRecords` to disk before anybody is told that the change stands.
    case poolRecordsChanged
    /// Write `floors` to disk.
    case floorsChanged
    /// Somebody knows this host in this boot or a later one: take a counter above it and start anew.
    case ownBootSeen(Boot)
    case event(RegistryEvent)
    case rejected(Rejection)
  }
}

/// Something worth a line in `weft events`.
package enum RegistryEvent: Hashable, Sendable {
  case claimed(NetworkID, MACAddress, MobilitySequence, vif: String)
  /// Another host's claim was higher.
  case gaveUp(NetworkID, MACAddress, to: HostID)
  case tookBack(NetworkID, MACAddress, MobilitySequence)
  case withdrawn(NetworkID, MACAddress, MobilitySequence)
  /// The MAC moved too often; this host stopped claiming it.
  case damped(NetworkID, MACAddress)
  /// The guest transmits here while the other host claims the MAC, or on two VIFs of this host.
  case duplicate(NetworkID, MACAddress, vif: String, other: HostID)
  /// A frame's MAC or IP was not taken up because its VIF has as many as it may.
  case limited(NetworkID, MACAddress, vif: String, LocalLimit)
  /// A dead host's statements were dropped.
  case purged(HostID)
  /// A host finished saying what it has in a new boot.
  case completed(HostID, Boot)
}

package enum LocalLimit: Hashable, Sendable {
  case macsPerVIF
  case ipsPerMAC
  case claimsPerSecond
}

/// Bytes from a member that were not taken up.
package struct Rejection: Error, Hashable, Sendable, CustomStringConvertible {
  package enum Reason: Hashable, Sendable {
    case malformed(String)
    case badSignature(HostID)
    case notAMember(HostID)
    /// A counter, version or sequence more than 2^32 above the known one.
    case leap(String)
    case tooMany(String)
  }

  package var from: HostID
  package var reason: Reason

  package var description: String {
    switch reason {
    case .malformed(let what): "Host \(from) sent bytes that cannot be read (\(what)): they are passed over."
    case .badSignature(let author):
      "Host \(from) sent something that \(author) did not sign: it is passed over."
    case .notAMember(let host):
      "Host \(from) sent statements of \(host), which is no member any more: they are passed over."
    case .leap(let what): "Host \(from) sent a \(what) more than 2^32 above the known one: it is passed over."
    case .tooMany(let what): "Host \(from) sent too many \(what): the excess is passed over."
    }
  }
}
