import Membership
import Wire

/// What the simulator drives on each host: the cores of an agent, without sockets and clocks.
protocol SimulatedNode {
  /// The run begins; `peers` are the other hosts that the pool's records name.
  mutating func start(peers: [HostID], now: Instant) -> [NodeEffect]
  /// A host was admitted to the pool while this node runs.
  mutating func add(_ host: HostID, now: Instant) -> [NodeEffect]
  /// A hello of `host` was accepted.
  mutating func greeted(by host: HostID, boot: Boot, now: Instant) -> [NodeEffect]
  /// All frames of one packet, decoded from its bytes.
  mutating func receive(_ frames: [GossipFrame], from host: HostID, boot: Boot, now: Instant) -> [NodeEffect]
  mutating func tcpProbe(
    of host: HostID, sequence: UInt32, outcome: Membership.TCPProbeOutcome, now: Instant
  ) -> [NodeEffect]
  /// A request over the reliable channel; nil refuses it.
  mutating func respond(
    to request: [UInt8], from host: HostID, now: Instant
  ) -> (response: [UInt8]?, effects: [NodeEffect])
  /// The end of a request of this node; nil if the host was not reached or refused.
  mutating func receive(response: [UInt8]?, from host: HostID, now: Instant) -> [NodeEffect]
  mutating func advance(to now: Instant) -> [NodeEffect]
  var deadline: Instant? { get }
}

/// What a node asks of the simulator.
enum NodeEffect {
  /// One datagram.
  case send([GossipFrame], to: HostID)
  case probeTCP(HostID, sequence: UInt32)
  /// One request over the reliable channel (TLS in the real agent).
  case request([UInt8], to: HostID)
  /// A line for the trace.
  case note(String)
}

extension SimulatedNode {
  mutating func respond(
    to request: [UInt8], from host: HostID, now: Instant
  ) -> (response: [UInt8]?, effects: [NodeEffect]) { (nil, []) }

  mutating func receive(response: [UInt8]?, from host: HostID, now: Instant) -> [NodeEffect] { [] }
}
