import Wire

/// What the care for the kernel remembers from turn to turn: what is to be tried again, and when.
struct KernelUpkeep {
  /// A wait that doubles each time until it worked.
  struct BackOff: Hashable {
    private(set) var delay: Duration
    private let first: Duration
    private let longest: Duration

    init(first: Duration, longest: Duration) {
      self.first = first
      self.longest = longest
      delay = first
    }

    mutating func next() -> Duration {
      defer { delay = min(delay * 2, longest) }
      return delay
    }

    mutating func reset() { delay = first }
  }

  private struct Retry {
    /// nil once it is due and until the next failure.
    var at: Instant?
    var backOff = BackOff(first: .seconds(1), longest: .seconds(30))
  }

  private struct Key: Hashable, Comparable {
    var network: NetworkID
    var mac: MACAddress

    static func < (left: Self, right: Self) -> Bool {
      left.network != right.network ? left.network < right.network : left.mac < right.mac
    }
  }

  private var retries: [NetworkID: Retry] = [:]
  /// MACs whose entry a guest's frame turned to its port, and when it is set again.
  private var restorations: [Key: Instant] = [:]
  private var monitorBackOff = BackOff(first: .seconds(1), longest: .seconds(30))
  private var monitorAt: Instant?
  private(set) var deadline: Instant?

  // MARK: Networks

  /// Something of the network could not be set. However often that is found until the retry, there is one retry.
  mutating func failed(_ network: NetworkID, now: Instant) {
    var retry = retries[network] ?? Retry()
    guard retry.at == nil else { return }
    retry.at = now + retry.backOff.next()
    retries[network] = retry
    findDeadline()
  }

  mutating func succeeded(_ network: NetworkID) {
    guard retries.removeValue(forKey: network) != nil else { return }
    findDeadline()
  }

  /// The networks to be tried again now, in order.
  mutating func takeDueNetworks(now: Instant) -> [NetworkID] {
    let due = retries.filter { entry in entry.value.at.map { $0 <= now } ?? false }.keys.sorted()
    for network in due { retries[network]?.at = nil }
    if !due.isEmpty { findDeadline() }
    return due
  }

  // MARK: MACs

  /// A guest here transmitted with a MAC that lives elsewhere, and the bridge believed it.
  ///
  /// - Returns: whether the entry is to be set at once. Either way it is set a second after the first such frame, as
  ///   the bridge learns from the frames in between, which nobody looks at.
  mutating func strayed(_ network: NetworkID, _ mac: MACAddress, now: Instant) -> Bool {
    let key = Key(network: network, mac: mac)
    guard restorations[key] == nil else { return false }
    restorations[key] = now + .seconds(1)
    findDeadline()
    return true
  }

  mutating func takeDueMACs(now: Instant) -> [(network: NetworkID, mac: MACAddress)] {
    let due = restorations.filter { $0.value <= now }.keys.sorted()
    for key in due { restorations[key] = nil }
    if !due.isEmpty { findDeadline() }
    return due.map { ($0.network, $0.mac) }
  }

  // MARK: The monitor

  mutating func monitorFailed(now: Instant) {
    monitorAt = now + monitorBackOff.next()
    findDeadline()
  }

  mutating func monitorWorks() { monitorBackOff.reset() }

  mutating func takeDueMonitor(now: Instant) -> Bool {
    guard let at = monitorAt, at <= now else { return false }
    monitorAt = nil
    findDeadline()
    return true
  }

  private mutating func findDeadline() {
    deadline = [retries.values.compactMap(\.at).min(), restorations.values.min(), monitorAt].compactMap { $0 }.min()
  }
}
