import Synchronization

/// A number that one thread counts up and any thread reads: two plain memory accesses, no locked one.
struct SingleWriterCounter: ~Copyable {
  private let value = Atomic<UInt64>(0)

  var total: UInt64 { value.load(ordering: .relaxed) }

  /// Only ever called by one thread at a time.
  func add(_ amount: UInt64) { value.store(total &+ amount, ordering: .relaxed) }
}
