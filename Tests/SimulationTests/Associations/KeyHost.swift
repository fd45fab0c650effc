import Associations
import Wire

/// One machine of the simulation of keys: its kernel, and the core of its agent if that runs.
struct KeyHost {
  /// What a host's record tells of its keys.
  struct Record: Hashable {
    let epoch: Epoch
    let vtep: VTEP
    /// Grows with every change within a boot.
    let version: UInt64

    func isSame(as other: Self) -> Bool { epoch == other.epoch && vtep == other.vtep }

    func isNewer(than other: Self) -> Bool { (epoch.boot, version) > (other.epoch.boot, other.version) }
  }

  let id: HostID
  var vtep: VTEP
  var boot = Boot(counter: 0, nonce: 0)
  /// nil while the agent does not run.
  var core: Associations?
  var isUp = true
  var isEvicted = false
  var kernel = SimulatedESP()
  /// The epoch whose private key the agent holds.
  var drawn: UInt64 = 0
  var version: UInt64 = 0
  /// The address has changed, and the next epoch has to wait until a second has passed since the last.
  var isNewAddressKeyless = false
  /// The records of others, by the run of the agent that runs, and who is thought to answer.
  var records: [Int: Record] = [:]
  var unreachable: Set<Int> = []
  /// The boots of others that packets are sealed for: a hello may bring one before the record.
  var sessions: [Int: Boot] = [:]
  /// Where the kernel's forwarding sends what is for the guests of another host; it outlives the agent.
  var forwarding: [Int: VTEP] = [:]
  var wakeAt: Instant?
  var spins = 0

  var record: Record { Record(epoch: Epoch(boot: boot, number: drawn), vtep: vtep, version: version) }
}
