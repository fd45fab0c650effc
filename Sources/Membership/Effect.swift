import Wire

extension Membership {
  /// What the shell has to do, in this order.
  package enum Effect: Hashable, Sendable {
    /// One packet for `to`: together at most `Configuration.packetBudget` bytes, rumours included.
    case send([GossipFrame], to: HostID)
    /// Try a TLS connection to the host's gossip port, then call `tcpProbe(of:sequence:outcome:now:)` in any case,
    /// after `Configuration.tcpProbeTimeout` at the latest.
    case probeTCP(HostID, sequence: UInt32)
    /// A host changed its state or its boot. `from` is nil if it had not been heard of; then it counted as dead.
    case changed(HostID, boot: Boot, from: MemberState?, to: MemberState)
    /// Somebody held this host for silent; it answered with a higher incarnation.
    case refuted(Incarnation)
    /// This host's ID is about in a boot above its own: take the next boot counter and start again.
    case ownBootSeen(Boot)
    /// This host stood still that long (stopped process, suspended machine); it judges nobody for a probe round.
    case paused(Duration)
    /// An input that was not accepted, and why.
    case rejected(Rejection)
  }

  /// What a TCP probe found at the gossip port.
  package enum TCPProbeOutcome: Hashable, Sendable {
    /// The agent finished the TLS handshake.
    case agent
    /// The port accepted or reset the connection, but no agent answered.
    case kernel
    /// Nothing came back.
    case silent
  }

  /// Why an input was not accepted.
  package enum Rejection: Hashable, Sendable, CustomStringConvertible {
    /// A frame from, or a rumour about, a host that is not in the pool as far as this host knows.
    case unknownHost(HostID)
    /// An incarnation more than 2^32 above the known one.
    case incarnation(HostID, Incarnation)
    /// A boot counter more than 2^32 above the known one.
    case boot(HostID, Boot)
    /// Too many probes for others are under way.
    case relays(from: HostID)

    package var description: String {
      switch self {
      case .unknownHost(let host): "host \(host) is not in this pool: admit it with 'weft pool join', or evict it"
      case .incarnation(let host, let incarnation):
        "incarnation \(incarnation) of host \(host) is too far above the known one: restart that host's agent"
      case .boot(let host, let boot):
        "boot \(boot) of host \(host) is too far above the known one: check that host's state directory"
      case .relays(let host): "host \(host) asks for more indirect probes than this host makes: check its network"
      }
    }
  }
}
