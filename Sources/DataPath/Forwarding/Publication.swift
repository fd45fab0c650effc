import Glibc
import Synchronization

/// Hands snapshots from the one thread that makes them to those that read them, without a lock (a form of quiescent-state
/// based reclamation: McKenney, "Is Parallel Programming Hard", section 9.5).
///
/// A reader says which generation it has seen before it reads the snapshot, and "none" when it blocks. A snapshot was left
/// by all once each reader blocks or has seen a later generation.
final class Publication {
  final class Reader: Sendable {
    /// 0: none.
    fileprivate let seen = Atomic<UInt64>(0)
  }

  private let generation = Atomic<UInt64>(1)
  private let current: Atomic<UnsafePointer<Snapshot>>
  private var owner: SnapshotOwner
  private let readers: [Reader]
  /// Each with the generation in which it was current last; oldest first.
  private var retired: [(generation: UInt64, owner: SnapshotOwner)] = []

  init(_ first: SnapshotOwner, readers: [Reader]) {
    owner = first
    current = Atomic(first.snapshot)
    self.readers = readers
  }

  // MARK: The thread that publishes

  func publish(_ next: SnapshotOwner) {
    let last = generation.load(ordering: .relaxed)
    current.store(next.snapshot, ordering: .sequentiallyConsistent)
    // After the pointer: who has seen this generation reads the new snapshot or a later one.
    generation.store(last + 1, ordering: .sequentiallyConsistent)
    retired.append((last, owner))
    owner = next
    reclaim()
  }

  /// Frees what no reader can have any more.
  func reclaim() {
    guard !retired.isEmpty else { return }
    var oldest = UInt64.max
    for reader in readers {
      let seen = reader.seen.load(ordering: .sequentiallyConsistent)
      if seen != 0 { oldest = min(oldest, seen) }
    }
    let count = retired.prefix { $0.generation < oldest }.count
    retired.removeFirst(count)
  }

  /// Waits until all but the present snapshot are left, for some 30 ms at most: that is how long a sender that seals all
  /// it may, and finds the socket full all that time, stays in one.
  func settle() {
    for _ in 0..<200 {
      reclaim()
      if retired.isEmpty { return }
      usleep(100)
    }
  }

  var retiredCount: Int { retired.count }

  // MARK: Reading threads

  /// The snapshot stands until `leave`, or the next `enter`, of this reader.
  func enter(_ reader: Reader) -> UnsafePointer<Snapshot> {
    // Sequentially consistent, as the note must be seen before the pointer is read: a publisher that finds "none" has
    // replaced the pointer before that, and so it is the new one that is read here.
    reader.seen.store(generation.load(ordering: .sequentiallyConsistent), ordering: .sequentiallyConsistent)
    return current.load(ordering: .sequentiallyConsistent)
  }

  /// Whether nothing newer was published since this reader entered.
  func isLatest(_ reader: Reader) -> Bool {
    reader.seen.load(ordering: .relaxed) == generation.load(ordering: .relaxed)
  }

  func leave(_ reader: Reader) { reader.seen.store(0, ordering: .releasing) }
}
