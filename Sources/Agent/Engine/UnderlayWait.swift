import Kernel
import Logging
import Wire

/// The wait of a start that comes before its underlay, as at boot: before the interface, before its address, or before
/// the kernel has found that no other machine has the address.
struct UnderlayWait {
  /// After this long the same reason is told again.
  private static let reminder: Duration = .seconds(60)
  private static let interval: Duration = .milliseconds(200)

  private let network: KernelNetwork
  private let wanted: String
  private var told: (reason: String, at: Instant)?

  /// - Parameter wanted: what `--underlay` names.
  init(_ wanted: String) throws {
    network = try KernelNetwork()
    self.wanted = wanted
  }

  /// Returns when this host has what `--underlay` names. A signal ends the process meanwhile: nothing was begun yet.
  mutating func run(log: Logger) async throws {
    while let reason = try missing() {
      if let line = line(reason, now: Reactor.now()) { log.warning("\(line)") }
      try await Task.sleep(for: Self.interval)
    }
  }

  /// Why the underlay is not there yet; nil if it is.
  ///
  /// - Throws: what hinders the look itself.
  func missing() throws -> String? {
    do throws(KernelError) {
      guard case .pending(let sentence) = try network.findUnderlay(wanted) else { return nil }
      return sentence
    } catch {
      guard case .underlay(let sentence) = error else { throw error }
      return sentence
    }
  }

  /// What there is to log: each reason once, and again every minute.
  mutating func line(_ reason: String, now: Instant) -> String? {
    if let told, told.reason == reason, now < told.at + Self.reminder { return nil }
    told = (reason, now)
    return "\(reason) weftd waits for its underlay."
  }
}
