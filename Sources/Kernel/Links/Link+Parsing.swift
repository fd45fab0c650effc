import CNetlink
import Wire

extension Link {
  /// From the payload of `RTM_NEWLINK` or `RTM_DELLINK`; nil for what the bridge says about its ports by itself
  /// (family `AF_BRIDGE`) and for what is too short.
  init?(_ payload: UnsafeRawBufferPointer) {
    let size = MemoryLayout<ifinfomsg>.size
    guard payload.count >= size else { return nil }
    let header = payload.loadUnaligned(as: ifinfomsg.self)
    guard header.ifi_family == 0, header.ifi_index > 0 else { return nil }
    self.init(
      index: header.ifi_index, name: "", mtu: 0, isUp: header.ifi_flags & Flags.up != 0,
      hasCarrier: header.ifi_flags & Flags.lowerUp != 0, isLoopback: header.ifi_flags & Flags.loopback != 0)
    for attribute in Attributes(payload, after: size) { take(attribute) }
  }

  /// `IFF_…` of `linux/if.h`, which cannot be imported beside `net/if.h`.
  enum Flags {
    static let up: UInt32 = 1
    static let loopback: UInt32 = 1 << 3
    static let lowerUp: UInt32 = 1 << 16
  }

  private mutating func take(_ attribute: Attribute) {
    switch attribute.type {
    case Int(IFLA_IFNAME): name = attribute.text
    case Int(IFLA_ADDRESS): mac = attribute.mac
    case Int(IFLA_MTU): mtu = Int(attribute.u32 ?? 0)
    case Int(IFLA_MASTER): master = attribute.u32.flatMap { $0 == 0 ? nil : Int32(bitPattern: $0) }
    case Int(IFLA_IFALIAS): alias = attribute.text
    case Int(IFLA_QDISC): queueing = attribute.text
    case Int(IFLA_STATS64): transmitDrops = Self.transmitDrops(attribute.bytes)
    case Int(IFLA_LINKINFO): takeInfo(attribute)
    case Int(IFLA_AF_SPEC):
      for family in Attributes(nested: attribute) where family.type == 10 {
        for item in Attributes(nested: family) where item.type == Int(IFLA_INET6_ADDR_GEN_MODE) {
          addressGeneration = item.u8
        }
      }
    default: break
    }
  }

  /// From `struct rtnl_link_stats64`, which later releases make longer.
  private static func transmitDrops(_ statistics: UnsafeRawBufferPointer) -> UInt64 {
    let place = MemoryLayout<rtnl_link_stats64>.offset(of: \.tx_dropped) ?? 0
    guard statistics.count >= place + MemoryLayout<UInt64>.size else { return 0 }
    return statistics.loadUnaligned(fromByteOffset: place, as: UInt64.self)
  }

  private mutating func takeInfo(_ info: Attribute) {
    var details: Attribute?
    var portKind: String?
    var portDetails: Attribute?
    for item in Attributes(nested: info) {
      switch item.type {
      case Int(IFLA_INFO_KIND): kind = item.text
      case Int(IFLA_INFO_DATA): details = item
      case Int(IFLA_INFO_SLAVE_KIND): portKind = item.text
      case Int(IFLA_INFO_SLAVE_DATA): portDetails = item
      default: break
      }
    }
    if let details {
      if kind == "bridge" { bridge = Bridge(Attributes(nested: details)) }
      if kind == "vxlan" { vxlan = VXLAN(Attributes(nested: details)) }
      if kind == "gretap" { gre = GRE(Attributes(nested: details), isV6: false) }
      if kind == "tun" { tap = TAP(Attributes(nested: details)) }
      if kind == "ip6gretap" { gre = GRE(Attributes(nested: details), isV6: true) }
    }
    if portKind == "bridge", let portDetails { port = BridgePort(Attributes(nested: portDetails)) }
  }
}

extension Link.Bridge {
  init(_ attributes: Attributes) {
    self.init(spanningTree: false, forwardDelay: 0, multicastSnooping: false)
    for item in attributes {
      switch item.type {
      case Int(IFLA_BR_STP_STATE): spanningTree = item.u32 != 0
      case Int(IFLA_BR_FORWARD_DELAY): forwardDelay = item.u32 ?? 0
      case Int(IFLA_BR_MCAST_SNOOPING): multicastSnooping = item.u8 != 0
      case Int(IFLA_BR_VLAN_DEFAULT_PVID): defaultVLAN = item.u16
      default: break
      }
    }
  }
}

extension Link.VXLAN {
  init(_ attributes: Attributes) {
    self.init(vni: 0, port: 0, learning: false, ttl: 0, checksum: false, zeroChecksum6: false)
    for item in attributes {
      switch item.type {
      case Int(IFLA_VXLAN_ID): vni = item.u32 ?? 0
      case Int(IFLA_VXLAN_LOCAL), Int(IFLA_VXLAN_LOCAL6): local = item.address
      case Int(IFLA_VXLAN_PORT): port = item.u16.map(UInt16.init(bigEndian:)) ?? 0
      case Int(IFLA_VXLAN_LEARNING): learning = item.u8 != 0
      case Int(IFLA_VXLAN_TTL): ttl = item.u8 ?? 0
      case Int(IFLA_VXLAN_UDP_CSUM): checksum = item.u8 != 0
      case Int(IFLA_VXLAN_UDP_ZERO_CSUM6_TX), Int(IFLA_VXLAN_UDP_ZERO_CSUM6_RX):
        if item.u8 != 0 { zeroChecksum6 = true }
      default: break
      }
    }
  }
}

extension Link.TAP {
  /// `IFF_TAP` of `linux/if_tun.h`; a device of the same kind that carries packets without Ethernet header has another.
  private static let isTAP: UInt8 = 2

  /// nil for a device that carries no frames, and before Linux 4.17, which tells nothing of such devices.
  init?(_ attributes: Attributes) {
    self.init(
      isPersistent: false, isMultiQueue: false, hasVirtioHeader: false, hasPacketInformation: false, owner: nil,
      group: nil, queues: 0)
    var type: UInt8?
    for item in attributes {
      switch item.type {
      case Int(IFLA_TUN_TYPE): type = item.u8
      case Int(IFLA_TUN_PI): hasPacketInformation = item.u8 != 0
      case Int(IFLA_TUN_VNET_HDR): hasVirtioHeader = item.u8 != 0
      case Int(IFLA_TUN_PERSIST): isPersistent = item.u8 != 0
      case Int(IFLA_TUN_MULTI_QUEUE): isMultiQueue = item.u8 != 0
      case Int(IFLA_TUN_OWNER): owner = item.u32
      case Int(IFLA_TUN_GROUP): group = item.u32
      case Int(IFLA_TUN_NUM_QUEUES): queues = item.u32 ?? 0
      default: break
      }
    }
    guard type == Self.isTAP else { return nil }
  }
}

extension Link.BridgePort {
  init(_ attributes: Attributes) {
    self.init(learning: true)
    for item in attributes {
      switch item.type {
      case Int(IFLA_BRPORT_LEARNING): learning = item.u8 != 0
      case Int(IFLA_BRPORT_ISOLATED): isolated = item.u8 != 0
      case Int(IFLA_BRPORT_UNICAST_FLOOD): floodsUnknown = item.u8 != 0
      case Int(IFLA_BRPORT_MCAST_FLOOD): floodsMulticast = item.u8 != 0
      case Int(IFLA_BRPORT_BCAST_FLOOD): floodsBroadcast = item.u8 != 0
      default: break
      }
    }
  }
}
