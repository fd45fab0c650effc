extension API {
  /// How far two hosts are with their keys of the data path.
  package enum KeyState: String, Codable, Sendable, CaseIterable {
    /// They stand in both directions, and both hosts use the newest ones.
    case established
    /// They are being agreed on; where older ones stand, traffic goes by those.
    case pending
    /// A rekey waits until the other host has confirmed one before it; traffic goes on by the keys that stand.
    case waiting
    /// There are none: nothing of an encrypted network goes between the two.
    case none
  }

  /// What the host that answers has of keys with another host: one security association outbound (RFC 4301 section 4.1)
  /// and those inbound that still stand. Counters are those of the SAs that stand now.
  package struct HostKeys: Codable, Sendable, Equatable {
    /// The other host's name.
    package var host: String
    package var hostId: String
    package var state: KeyState
    /// How many inbound SAs stand.
    package var inbound: Int
    /// The SPI by which this host sends, as in `0x1f2e3d4c`; nil while it does not.
    @Nullable package var outboundSPI: String?
    package var packetsSent: UInt64
    package var packetsReceived: UInt64
    /// Packets dropped since they had come before, or were older than the replay window.
    package var replayed: UInt64
    /// Packets dropped since they were not what the other host sealed.
    package var integrityFailures: UInt64
    /// What user space dropped of the traffic with the host, by reason; empty where the kernel carries it. Begins anew
    /// when the agent starts, and when the packet path forgot the host meanwhile.
    package var drops: [Drop]

    package init(
      host: String, hostId: String, state: KeyState, inbound: Int = 0, outboundSPI: UInt32? = nil,
      packetsSent: UInt64 = 0, packetsReceived: UInt64 = 0, replayed: UInt64 = 0, integrityFailures: UInt64 = 0,
      drops: [Drop] = []
    ) {
      self.host = host
      self.hostId = hostId
      self.state = state
      self.inbound = inbound
      self.outboundSPI = outboundSPI.map(Self.text)
      self.packetsSent = packetsSent
      self.packetsReceived = packetsReceived
      self.replayed = replayed
      self.integrityFailures = integrityFailures
      self.drops = drops
    }

    /// Eight digits, as the programs of iproute2 print it.
    private static func text(_ spi: UInt32) -> String {
      let digits = String(spi, radix: 16)
      return "0x" + String(repeating: "0", count: 8 - digits.utf8.count) + digits
    }
  }

  /// The keys of the host that answers with all others, in numbers.
  package struct KeyCounts: Codable, Sendable, Equatable {
    /// The number of its own key pair, which grows from 1 with each rekey of one run of its agent.
    package var epoch: UInt64
    /// With how many hosts its keys are in each `KeyState`; only members count.
    package var established: Int
    package var pending: Int
    package var waiting: Int
    package var none: Int

    package init(epoch: UInt64, established: Int = 0, pending: Int = 0, waiting: Int = 0, none: Int = 0) {
      self.epoch = epoch
      self.established = established
      self.pending = pending
      self.waiting = waiting
      self.none = none
    }
  }

  /// Who draws new keys.
  package struct RekeyResult: Codable, Sendable, Equatable {
    /// The name of the host that answers.
    package var host: String
    /// The number of its key pair: the new one, or while the order waits for its second the one before.
    package var epoch: UInt64
    /// The other hosts that took the order, by name, sorted.
    package var asked: [String]
    /// The members that were to take it and did not, and why, by name, sorted. A dead host is not among them: it draws
    /// new keys when it starts.
    package var notReached: [Problem]

    package init(host: String, epoch: UInt64, asked: [String] = [], notReached: [Problem] = []) {
      self.host = host
      self.epoch = epoch
      self.asked = asked
      self.notReached = notReached
    }
  }
}
