extension Associations {
  /// Times and amounts of the life of SAs.
  package struct Configuration: Sendable {
    /// A new epoch is drawn after this time, give or take `rekeyJitter` thousandths of it, so that the hosts of a pool
    /// that started together do not draw together for ever.
    package var rekeyInterval: Duration = .seconds(3600)
    package var rekeyJitter = 50
    /// The least time between two epochs.
    package var leastRekeyInterval: Duration = .seconds(1)
    /// An outbound SA that has carried so many packets is replaced, far below what its counter of 64 bits allows.
    package var packetLimit: UInt64 = 1 << 30
    /// A standing SA is offered after this time again, then after twice that, up to the longest.
    package var offerInterval: Duration = .milliseconds(200)
    package var longestOfferInterval: Duration = .seconds(5)
    /// An SA that the kernel refused is tried after this time again, then after twice that, up to the longest.
    package var retryInterval: Duration = .seconds(1)
    package var longestRetryInterval: Duration = .seconds(30)
    /// The least time between two epochs drawn to repair SAs with one host; it doubles up to the longest as long as
    /// they are needed, and starts anew when none was for twice the longest.
    package var repairInterval: Duration = .seconds(1)
    package var longestRepairInterval: Duration = .seconds(60)
    /// A dead inbound SA stands for this time, for frames that are on their way.
    package var retirement: Duration = .seconds(60)
    /// And for this time at least, when a new SA needs its place.
    package var shortestRetirement: Duration = .milliseconds(500)
    /// Inbound SAs that stand per host, adopted ones included.
    package var inboundLimit = 4
    /// SPIs that are tried in a row until the kernel takes one.
    package var spiAttempts = 16
    /// Frames of one host that are looked at per second; honest hosts send a few.
    package var framesPerSecond = 20

    package init() {}
  }
}
