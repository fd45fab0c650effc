import Synchronization
import Wire

/// Counts open connections, in all and by address, and says when there are enough.
final class ConnectionTable: Sendable {
  private struct Counts {
    var total = 0
    var byAddress: [IPAddress: Int] = [:]
  }

  private let limits: PeerLimits
  private let counts = Mutex(Counts())

  init(limits: PeerLimits) { self.limits = limits }

  /// nil if the connection may stay; then `leave` is owed. Otherwise why it may not.
  func enter(_ address: IPAddress) -> String? {
    counts.withLock { counts in
      guard counts.total < limits.connections else { return "\(counts.total) connections are open already." }
      let fromThere = counts.byAddress[address, default: 0]
      guard fromThere < limits.connectionsPerAddress else {
        return "\(fromThere) connections are open from that address already."
      }
      counts.total += 1
      counts.byAddress[address] = fromThere + 1
      return nil
    }
  }

  func leave(_ address: IPAddress) {
    counts.withLock { counts in
      counts.total -= 1
      let left = counts.byAddress[address, default: 1] - 1
      counts.byAddress[address] = left == 0 ? nil : left
    }
  }
}
