import Wire

/// The kernel's numbers for GRE devices (`linux/if_tunnel.h`, whose headers of IP cannot be imported beside Glibc's).
enum GREAttribute {
  static let link = 1
  static let inputFlags = 2
  static let outputFlags = 3
  static let inputKey = 4
  static let outputKey = 5
  static let local = 6
  static let remote = 7
  static let ttl = 8
  static let trafficClass = 9
  static let pathMTUDiscovery = 10
  static let flowInformation = 12
  static let flags = 13
  static let encapsulationType = 14
  static let collectMetadata = 18
  static let ignoreDontFragment = 19
  static let routingMark = 20

  /// The flag in the GRE header that says that there is a key, in network order there and in the attribute.
  static let hasKey: UInt16 = 0x2000
  /// `IP6_TNL_F_IGN_ENCAP_LIMIT`: no header with a limit of encapsulations.
  static let noEncapsulationLimit: UInt32 = 1
  /// Those that can be set; the ones above tell what the kernel found the addresses good for.
  static let settableFlags: UInt32 = 0xffff
}

extension Link.GRE {
  init(_ attributes: Attributes, isV6: Bool) {
    self.init(
      isV6: isV6, inputKey: nil, outputKey: nil, local: nil, remote: nil, ttl: 0, trafficClass: 0,
      pathMTUDiscovery: false, flags: 0, lower: 0, isSpecial: false)
    var keys: (input: UInt32?, output: UInt32?)
    var header: (input: UInt16, output: UInt16) = (0, 0)
    for item in attributes {
      switch item.type {
      case GREAttribute.link: lower = item.u32 ?? 0
      case GREAttribute.inputFlags: header.input = item.u16.map(UInt16.init(bigEndian:)) ?? 0
      case GREAttribute.outputFlags: header.output = item.u16.map(UInt16.init(bigEndian:)) ?? 0
      case GREAttribute.inputKey: keys.input = item.u32.map(UInt32.init(bigEndian:))
      case GREAttribute.outputKey: keys.output = item.u32.map(UInt32.init(bigEndian:))
      case GREAttribute.local: local = item.address
      case GREAttribute.remote: remote = item.address
      case GREAttribute.ttl: ttl = item.u8 ?? 0
      case GREAttribute.trafficClass where !isV6: trafficClass = UInt32(item.u8 ?? 0)
      case GREAttribute.flowInformation where isV6: trafficClass = item.u32.map(UInt32.init(bigEndian:)) ?? 0
      case GREAttribute.pathMTUDiscovery: pathMTUDiscovery = item.u8 != 0
      case GREAttribute.flags where isV6: flags = (item.u32 ?? 0) & GREAttribute.settableFlags
      case GREAttribute.encapsulationType: if item.u16 != 0 { isSpecial = true }
      case GREAttribute.collectMetadata: isSpecial = true
      case GREAttribute.ignoreDontFragment: if item.u8 != 0 { isSpecial = true }
      case GREAttribute.routingMark: if item.u32 != 0 { isSpecial = true }
      default: break
      }
    }
    if header.input == GREAttribute.hasKey { inputKey = keys.input }
    if header.output == GREAttribute.hasKey { outputKey = keys.output }
  }
}
