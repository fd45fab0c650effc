import Wire

/// A VIF in a bridge here: what the shell told of it.
struct LocalVIF: Sendable {
  let network: NetworkID
  var isNetback: Bool
  /// What the hypervisor says the guest's MAC is.
  var declaredMAC: MACAddress?
  var vm: String
  /// nil until the shell told it.
  var carrier: Bool?
  /// The MACs found behind it, in the order in which they came.
  var macs: [MACAddress] = []
  /// The carrier of this netback port rose before anybody said which MAC is behind it: the guest runs since.
  var roseUnnamed = false
  /// When the carrier fell.
  var fellAt: Instant?
  /// Frames, addresses and claims beyond the limits.
  var excess: UInt64 = 0
  private var excessTold: Instant?
  private var tokens: Int
  private var refilled: Instant

  init(network: NetworkID, isNetback: Bool, mac: MACAddress?, vm: String, tokens: Int, now: Instant) {
    self.network = network
    self.isNetback = isNetback
    declaredMAC = mac
    self.vm = vm
    self.tokens = tokens
    refilled = now
  }

  /// A guest can be behind it. The carrier of a netback port rises only when the frontend in a running guest connects;
  /// that of any other port means nothing.
  var isConnected: Bool { !isNetback || carrier == true }

  /// Frames that were under way when the carrier fell may be read after its notice; they say nothing of the guest.
  func isLate(_ now: Instant) -> Bool {
    guard isNetback, carrier == false, let fellAt else { return false }
    return now - fellAt < .milliseconds(200)
  }

  /// Counts what exceeded a limit. True if it is time to tell of it again.
  mutating func noteExcess(now: Instant) -> Bool {
    excess &+= 1
    if let excessTold, now - excessTold < .seconds(10) { return false }
    excessTold = now
    return true
  }

  /// Takes one of the claims that frames may cause in a second.
  mutating func takeToken(limit: Int, now: Instant) -> Bool {
    if now - refilled >= .seconds(1) {
      tokens = limit
      refilled = now
    }
    guard tokens > 0 else { return false }
    tokens -= 1
    return true
  }
}
