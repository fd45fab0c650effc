extension API {
  /// What carries a network on a host.
  package enum PacketPath: String, Codable, Sendable, CaseIterable {
    /// Tunnels of the kernel.
    case kernel
    /// The agent itself.
    case user
  }

  /// Where the host that answers sends the frames of a network.
  package struct Forwarding: Codable, Sendable, Equatable {
    package var path: PacketPath
    /// The underlay addresses that get each broadcast, multicast and unknown frame, sorted.
    package var flood: [String]
    /// The MACs behind other hosts, sorted.
    package var entries: [ForwardingEntry]
    /// What was carried; nil in the kernel, where the devices of the network count.
    @Nullable package var counters: ForwardingCounters?

    package init(
      path: PacketPath, flood: [String] = [], entries: [ForwardingEntry] = [], counters: ForwardingCounters? = nil
    ) {
      self.path = path
      self.flood = flood
      self.entries = entries
      self.counters = counters
    }
  }

  /// Frames to this MAC go to this underlay address.
  package struct ForwardingEntry: Codable, Sendable, Equatable {
    package var mac: String
    package var address: String

    package init(mac: String, address: String) {
      self.mac = mac
      self.address = address
    }
  }

  /// What the agent has carried of a network itself since it took it up: all counts begin anew when the agent starts and
  /// when the network's TAP is made anew, save that those in `drops` named `tapOverflow` outlive the agent. Out is from
  /// guests of this host to others.
  package struct ForwardingCounters: Codable, Sendable, Equatable {
    /// Frames of guests; one of up to 64 KiB that the guest left to be cut counts as one.
    package var framesOut: UInt64
    package var bytesOut: UInt64
    /// Packets on the underlay that came of them.
    package var packetsOut: UInt64
    /// Frames that were cut into several packets.
    package var framesCut: UInt64
    /// Frames that went to all hosts of the flood list.
    package var framesFlooded: UInt64
    package var packetsIn: UInt64
    /// Frames handed to the bridge, and those of them that several packets were joined to.
    package var framesIn: UInt64
    package var bytesIn: UInt64
    package var framesJoined: UInt64
    /// What went no further, by reason, those that never happened left out.
    package var drops: [Drop]

    package init(
      framesOut: UInt64 = 0, bytesOut: UInt64 = 0, packetsOut: UInt64 = 0, framesCut: UInt64 = 0,
      framesFlooded: UInt64 = 0, packetsIn: UInt64 = 0, framesIn: UInt64 = 0, bytesIn: UInt64 = 0,
      framesJoined: UInt64 = 0, drops: [Drop] = []
    ) {
      self.framesOut = framesOut
      self.bytesOut = bytesOut
      self.packetsOut = packetsOut
      self.framesCut = framesCut
      self.framesFlooded = framesFlooded
      self.packetsIn = packetsIn
      self.framesIn = framesIn
      self.bytesIn = bytesIn
      self.framesJoined = framesJoined
      self.drops = drops
    }
  }

  /// Packets or frames that went no further.
  package struct Drop: Codable, Sendable, Equatable {
    /// One word of a fixed set, as in `unknownSPI`.
    package var reason: String
    package var count: UInt64
    /// What the word means, one sentence.
    package var message: String

    package init(reason: String, count: UInt64, message: String) {
      self.reason = reason
      self.count = count
      self.message = message
    }
  }
}
