import Wire

extension Membership {
  /// Times and amounts of the protocol. The defaults suit a pool on one LAN: a crashed host is dead everywhere after
  /// about 4 to 6 s in pools of 3 to 64 hosts.
  package struct Configuration: Sendable {
    /// One member is probed in each interval (SWIM's protocol period), times one plus the local health.
    package var probeInterval: Duration = .seconds(1)
    /// Without an ack by then the probe goes on by other ways, times one plus the local health.
    package var probeTimeout: Duration = .milliseconds(500)
    /// How many others are asked to probe a silent target (SWIM's k).
    package var indirectProbes = 3
    /// One dead or never heard member is pinged in each interval, so that partitions heal.
    package var silentInterval: Duration = .seconds(1)
    /// When a dead member is heard again, or this host learns that it was held for dead, a cut has healed: for
    /// `healingTime` silent members are pinged in groups of `healingBurst` every `healingInterval`.
    package var healingTime: Duration = .seconds(2)
    package var healingInterval: Duration = .milliseconds(50)
    package var healingBurst = 4
    /// While there is news it goes to `gossipFanout` members in each interval, besides riding on probes.
    package var gossipInterval: Duration = .milliseconds(200)
    package var gossipFanout = 3
    /// A rumour is sent this often times log10 of the pool's size.
    package var retransmissions = 6
    /// Members whose state every ping and ack repeats, in turn, so that what was missed is repaired.
    package var refreshedPerPacket = 3
    /// The shortest suspicion: this times the probe interval, in thousandths, times log10 of the pool's size.
    package var suspicionMinimum = 1500
    /// The longest suspicion as a multiple of the shortest (Lifeguard's beta).
    package var suspicionMaximum = 3
    /// Confirmations from other hosts that bring a suspicion down to its shortest (Lifeguard's k).
    package var suspicionConfirmations = 3
    /// The highest local health, which stands for the worst (Lifeguard's S).
    package var worstHealth = 3
    /// A TCP probe without answer is `silent` after this; the shell keeps to it.
    package var tcpProbeTimeout: Duration = .milliseconds(1500)
    /// How long a silent agent's kernel keeps the host's statements in force.
    package var agentDownLimit: Duration = .seconds(3600)
    /// The least time between two questions whether the kernel of a silent agent is still there.
    package var agentDownRecheck: Duration = .seconds(5)
    /// How long after a host was said to be dead a kernel that answers may still contradict.
    package var witnessWindow: Duration = .seconds(5)
    /// The least time between two such contradictions for one host.
    package var witnessInterval: Duration = .seconds(300)
    /// An input later than the deadline by more than this means that this host itself stood still.
    package var pauseTolerance: Duration = .seconds(1)
    /// At start this many members are pinged at once; the others are reached in turn.
    package var startBurst = 128
    /// Probes for others that may be under way at once.
    package var relayLimit = 256
    /// Bytes of frames that this core puts into one packet; leaves room for an advert beside them.
    package var packetBudget = GossipPacket.maximumPlaintext - 64

    package init() {}
  }
}
