import Kernel
import NIOPosix
import Wire

/// When the host's firewall has to be told of our bridges: when they change, and when someone flushed the rules.
struct FirewallExemption {
  /// What a host program is to be run for.
  struct Request: Hashable, Sendable {
    var bridges: [String]
    /// Had rules, and has to lose them.
    var gone: [String]
    /// The rules were made before: only what is missing.
    var isCheck: Bool
  }

  /// The bridges whose rules stand as far as is known.
  private var done: [String] = []
  /// All that have rules, or may have after a failure.
  private var touched: Set<String> = []
  private var underWay: Request?
  /// The bridges that were last looked at: as long as they are the same, only a check asks again.
  private var lastSeen: [String] = []
  private var retryAt: Instant?
  private var backOff = KernelUpkeep.BackOff(first: .seconds(5), longest: .seconds(300))

  /// - Parameters:
  ///   - isCheck: the periodic look at everything.
  ///   - isActive: whether bridged frames pass the host's firewall; asked only if it matters.
  /// - Returns: nil if there is nothing to do, or not now.
  mutating func request(_ bridges: [String], isCheck: Bool, now: Instant, isActive: () -> Bool) -> Request? {
    guard underWay == nil else { return nil }
    if let retryAt, now < retryAt { return nil }
    guard isCheck || bridges != lastSeen || retryAt != nil else { return nil }
    lastSeen = bridges
    let wanted = isActive() ? bridges : []
    let isSame = wanted == done && retryAt == nil
    if wanted.isEmpty, touched.isEmpty { return nil }
    if isSame, !isCheck || wanted.isEmpty { return nil }
    let request = Request(bridges: wanted, gone: touched.subtracting(wanted).sorted(), isCheck: isSame)
    touched.formUnion(wanted)
    underWay = request
    return request
  }

  mutating func finished(isDone: Bool, now: Instant) {
    guard let request = underWay else { return }
    underWay = nil
    guard isDone else {
      retryAt = now + backOff.next()
      return
    }
    retryAt = nil
    backOff.reset()
    done = request.bridges
    touched = Set(request.bridges)
  }

  /// Everything is to be taken away: the bridges that may have rules.
  mutating func end() -> [String] {
    defer { self = FirewallExemption() }
    return touched.sorted()
  }
}

extension ErrandRunner {
  /// Runs `nft` and `iptables` on a thread that may wait for them.
  func exempt(_ request: FirewallExemption.Request) async {
    let failures =
      try? await NIOThreadPool.singleton.runIfActive {
        BridgeNetfilter.exempt(bridges: request.bridges, gone: request.gone, onlyMissing: request.isCheck)
      }
    await engine.exempted(failures.map { $0.map { "\($0)" } } ?? ["The agent is ending."])
  }

  /// Closes packet sockets, each of which takes a grace period of the kernel.
  func close(_ descriptors: [Int32]) async {
    _ = try? await NIOThreadPool.singleton.runIfActive { VIFTap.close(descriptors) }
  }
}

extension Engine {
  /// The host's firewall was told of our bridges, or could not be.
  func exempted(_ failures: [String]) {
    kernel.firewall.finished(isDone: failures.isEmpty, now: Reactor.now())
    node?.exempted(failures.isEmpty ? nil : failures.joined(separator: " "))
  }
}
