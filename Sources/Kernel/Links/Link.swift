import Wire

/// A network interface as the kernel shows it.
package struct Link: Equatable, Sendable {
  /// The kernel's number of the interface, never 0.
  package var index: Int32
  package var name: String
  /// `bridge`, `vxlan`, `veth`, …; nil for hardware and for what has no kind.
  package var kind: String?
  package var mac: MACAddress?
  package var mtu: Int
  /// Administratively up (`IFF_UP`).
  package var isUp: Bool
  /// Has a carrier (`IFF_LOWER_UP`): the other end is connected.
  package var hasCarrier: Bool
  package var isLoopback: Bool
  /// The bridge (or bond, or VRF) that it is a port of.
  package var master: Int32?
  package var alias: String?
  package var bridge: Bridge?
  package var vxlan: VXLAN?
  package var gre: GRE?
  package var tap: TAP?
  package var port: BridgePort?
  /// The queueing discipline at the root of what it transmits (`IFLA_QDISC`).
  package var queueing: String?
  /// Frames that it was to transmit and did not, since it was made (`tx_dropped`). Of a TAP: they found no room before
  /// the queue that its reader did not empty fast enough.
  package var transmitDrops: UInt64 = 0
  /// `IFLA_INET6_ADDR_GEN_MODE`: 1 is none. nil without IPv6.
  package var addressGeneration: UInt8?

  package struct Bridge: Equatable, Sendable {
    package var spanningTree: Bool
    /// In hundredths of a second.
    package var forwardDelay: UInt32
    package var multicastSnooping: Bool
    /// nil where the kernel has no VLAN filtering.
    package var defaultVLAN: UInt16?
  }

  package struct VXLAN: Equatable, Sendable {
    package var vni: UInt32
    package var local: IPAddress?
    package var port: UInt16
    package var learning: Bool
    package var ttl: UInt8
    /// Outer UDP checksum over IPv4.
    package var checksum: Bool
    /// Sends, and takes, a zero outer UDP checksum over IPv6.
    package var zeroChecksum6: Bool
  }

  /// A GRE device that carries Ethernet frames: `gretap`, or `ip6gretap` over IPv6.
  package struct GRE: Equatable, Sendable {
    package var isV6: Bool
    /// nil without a key in that direction, or with flags (checksum, sequence) beside it.
    package var inputKey: UInt32?
    package var outputKey: UInt32?
    package var local: IPAddress?
    package var remote: IPAddress?
    package var ttl: UInt8
    /// As each outer packet has it: the octet of IPv4, or traffic class and flow label of IPv6 (RFC 8200 section 3).
    package var trafficClass: UInt32
    /// IPv4: the outer packet says not to fragment it.
    package var pathMTUDiscovery: Bool
    /// IPv6: `IP6_TNL_F_…` of `linux/ip6_tunnel.h`, without those that the kernel finds by itself.
    package var flags: UInt32
    /// The interface that it is bound to; 0 for none.
    package var lower: UInt32
    /// In UDP (FOU, GUE), with ends that each frame brings along, routed by a mark, or fragmented: never ours.
    package var isSpecial: Bool
  }

  /// A TAP device: its queues are descriptors of a process (`linux/if_tun.h`).
  package struct TAP: Equatable, Sendable {
    /// Stays when its last queue is closed.
    package var isPersistent: Bool
    /// Has room for more than one queue.
    package var isMultiQueue: Bool
    /// A `struct virtio_net_hdr` stands before each frame.
    package var hasVirtioHeader: Bool
    /// Flags and an Ethertype stand before each frame.
    package var hasPacketInformation: Bool
    /// The user and the group, by number, that may open its queues without being root.
    package var owner: UInt32?
    package var group: UInt32?
    /// How many queues are open.
    package var queues: UInt32
  }

  package struct BridgePort: Equatable, Sendable {
    package var learning: Bool
    /// Exchanges no frames with other isolated ports. nil before Linux 4.18.
    package var isolated: Bool?
    /// Frames go out here that no entry of the bridge names a port for: to unknown stations, to groups, to all. The last
    /// is nil before Linux 4.12.
    package var floodsUnknown = true
    package var floodsMulticast = true
    package var floodsBroadcast: Bool?

    /// nil if it floods some frames and others not.
    package var floods: Bool? {
      let flags = [floodsUnknown, floodsMulticast, floodsBroadcast ?? floodsUnknown]
      return flags.allSatisfy { $0 == floodsUnknown } ? floodsUnknown : nil
    }
  }
}
