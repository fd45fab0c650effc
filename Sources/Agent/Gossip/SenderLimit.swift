import Wire

/// Bounds what a datagram that proves nothing can make this host do, by where it says it comes from. Members have a bucket
/// for each address; all others share one for each block of addresses, so that they neither escape the limit by varying
/// their address nor take anything from the members in their block.
struct SenderLimit {
  private var members: RateLimit<IPAddress>
  private var others: RateLimit<AddressBlock>

  init(burst: Int, interval: Duration) {
    members = RateLimit(burst: burst, interval: interval)
    others = RateLimit(burst: burst, interval: interval)
  }

  /// - Parameter isMember: a host of the pool is known to be at this address.
  mutating func allows(_ address: IPAddress, isMember: Bool, now: Instant) -> Bool {
    isMember ? members.allows(address, now: now) : others.allows(AddressBlock(address), now: now)
  }
}
