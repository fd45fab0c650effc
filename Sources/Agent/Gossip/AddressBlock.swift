import Wire

/// What one sender may be assumed to have all addresses of: an IPv4 address, or the /64 of an IPv6 address, which is what
/// every link has (RFC 4291, section 2.5.1). Counting single IPv6 addresses would bound nobody.
enum AddressBlock: Hashable, Sendable {
  case address(UInt32)
  case prefix(UInt64)

  init(_ address: IPAddress) {
    self =
      switch address {
      case .v4(let value): .address(value)
      case .v6(let high, _): .prefix(high)
      }
  }
}
