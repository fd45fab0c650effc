import Wire

extension Registry {
  /// Numbers that the protocol leaves to the host. The defaults are those of the product.
  package struct Configuration: Hashable, Sendable {
    /// Up to this many live hosts a change goes straight from its owner to each; above, it spreads as an epidemic.
    package var directHosts = 128
    /// To how many hosts a change is passed on in the epidemic.
    package var fanOut = 10
    package var firstRepeat: Duration = .milliseconds(100)
    package var longestRepeat: Duration = .seconds(2)
    package var syncInterval: Duration = .seconds(15)
    /// How long a difference of the pool's records must last before a sync is asked for.
    package var poolHashPatience: Duration = .seconds(1)
    package var deadHostRetention: Duration = .seconds(30 * 60)
    package var withdrawnRetention: Duration = .seconds(30 * 60)
    package var macsPerVIF = 16
    package var ipsPerMAC = 8
    package var claimsPerSecond = 10
    package var silence: Duration = .seconds(300)
    package var dampingMoves: UInt64 = 20
    package var dampingWindow: Duration = .seconds(180)
    package var dampingRelease: Duration = .seconds(30 * 60)
    /// How long after a MAC became live here another host's claim may have been made without knowing of it.
    package var concurrencyWindow: Duration = .seconds(2)

    package init() {}
  }
}
