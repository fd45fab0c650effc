import CNetlink
import Glibc
import Wire

/// Addresses and identifiers in the kernel's form: 16 bytes in the order of the wire; IPv4 uses the first four.
enum XFRMAddress {
  static func kernel(_ address: IPAddress) -> xfrm_address_t {
    var result = xfrm_address_t()
    withUnsafeMutableBytes(of: &result) { $0.copyBytes(from: address.bytes) }
    return result
  }

  static func address(_ kernel: xfrm_address_t, isV6: Bool) -> IPAddress {
    let bytes = withUnsafeBytes(of: kernel) { Array($0.prefix(isV6 ? 16 : 4)) }
    return IPAddress(bytes: bytes) ?? .v4(0)
  }

  static func family(_ isV6: Bool) -> UInt16 { UInt16(isV6 ? AF_INET6 : AF_INET) }

  /// nil for neither family.
  static func isV6(_ family: UInt16) -> Bool? {
    switch Int32(family) {
    case AF_INET: false
    case AF_INET6: true
    default: nil
    }
  }

  /// An ESP state's name; SPI 0 stands for any.
  static func identifier(_ destination: VTEP, spi: UInt32) -> xfrm_id {
    var id = xfrm_id()
    id.daddr = kernel(destination)
    id.spi = spi.bigEndian
    id.proto = UInt8(IPPROTO_ESP)
    return id
  }
}

/// Limits of states and policies; zeros would mean that they are expired.
enum XFRMLifetime {
  static var unlimited: xfrm_lifetime_cfg {
    var limits = xfrm_lifetime_cfg()
    limits.soft_byte_limit = .max
    limits.hard_byte_limit = .max
    limits.soft_packet_limit = .max
    limits.hard_packet_limit = .max
    return limits
  }

  static func isUnlimited(_ limits: xfrm_lifetime_cfg) -> Bool {
    [limits.soft_byte_limit, limits.hard_byte_limit, limits.soft_packet_limit, limits.hard_packet_limit]
      .allSatisfy { $0 == .max }
      && [
        limits.soft_add_expires_seconds, limits.hard_add_expires_seconds, limits.soft_use_expires_seconds,
        limits.hard_use_expires_seconds,
      ].allSatisfy { $0 == 0 }
  }
}
