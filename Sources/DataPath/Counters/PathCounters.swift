import Wire

/// What the packet path has done since it was made.
package struct PathCounters: Sendable {
  /// Traffic of one network. Out is from guests of this host to others.
  package struct Network: Hashable, Sendable {
    /// Frames read from the TAP; one of up to 64 KiB counts as one.
    package var framesOut: UInt64 = 0
    package var bytesOut: UInt64 = 0
    /// Packets that were sealed.
    package var packetsOut: UInt64 = 0
    /// Frames that were cut into segments.
    package var framesCut: UInt64 = 0
    /// Frames that went to the flood list.
    package var framesFlooded: UInt64 = 0
    /// Packets that were opened and belong to this network.
    package var packetsIn: UInt64 = 0
    /// Frames written to the TAP, and their bytes.
    package var framesIn: UInt64 = 0
    package var bytesIn: UInt64 = 0
    /// Frames written that were joined from several packets.
    package var framesJoined: UInt64 = 0
    package var drops: [DropReason: UInt64] = [:]
  }

  /// Traffic with one host, all networks.
  package struct Peer: Hashable, Sendable {
    package var packetsOut: UInt64 = 0
    /// Bytes of UDP payload.
    package var bytesOut: UInt64 = 0
    package var packetsIn: UInt64 = 0
    package var bytesIn: UInt64 = 0
    package var drops: [DropReason: UInt64] = [:]
  }

  /// One sender and one receiver thread.
  package struct Queue: Hashable, Sendable {
    /// Messages that the kernel took, each of one or more packets of the same size to the same host.
    package var messagesOut: UInt64 = 0
    /// Messages that the kernel would not cut into packets, and so went one by one.
    package var segmentationRefused: UInt64 = 0
    /// Messages that came, and the packets that the kernel had joined in them.
    package var messagesIn: UInt64 = 0
    package var packetsIn: UInt64 = 0
  }

  /// Open networks.
  package var networks: [VNI: Network] = [:]
  /// Hosts with an entry, a place in a flood list or an SA.
  package var peers: [VTEP: Peer] = [:]
  package var queues: [Queue] = []
  /// All drops, also those of networks and hosts that are gone and of packets that belong to none.
  package var drops: [DropReason: UInt64] = [:]
  /// Datagrams that found the receive buffer of the sockets full (SO_MEMINFO).
  package var socketOverflows: UInt64 = 0
  /// The AES-GCM implementation in use.
  package var provider = ""
}
