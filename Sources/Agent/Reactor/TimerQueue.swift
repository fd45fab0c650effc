import Wire

/// One-shot timers by deadline: a binary heap whose cancelled entries are passed over, and swept when they prevail.
struct TimerQueue {
  private struct Entry {
    var deadline: Instant
    var id: UInt64

    func isBefore(_ other: Entry) -> Bool {
      deadline != other.deadline ? deadline < other.deadline : id < other.id
    }
  }

  private var heap: [Entry] = []
  private var actions: [UInt64: () -> Void] = [:]
  private var lastID: UInt64 = 0

  var count: Int { actions.count }

  mutating func add(at deadline: Instant, _ action: @escaping () -> Void) -> UInt64 {
    lastID += 1
    actions[lastID] = action
    heap.append(Entry(deadline: deadline, id: lastID))
    siftUp(heap.count - 1)
    return lastID
  }

  /// Does nothing for a timer that fired or was cancelled before.
  mutating func remove(_ id: UInt64) {
    guard actions.removeValue(forKey: id) != nil, heap.count > 64, heap.count > 2 * actions.count else { return }
    // A sorted array is a heap.
    heap = heap.filter { actions[$0.id] != nil }.sorted { $0.isBefore($1) }
  }

  /// The earliest deadline of a timer that was not cancelled.
  mutating func nextDeadline() -> Instant? {
    while let first = heap.first {
      if actions[first.id] != nil { return first.deadline }
      removeFirst()
    }
    return nil
  }

  /// Takes the earliest timer if it is due at `now` and was set before the timer `limit`: those that a timer sets for
  /// now wait for the next round, so that nobody starves the descriptors.
  mutating func popDue(now: Instant, upTo limit: UInt64) -> (() -> Void)? {
    guard let deadline = nextDeadline(), deadline <= now, let id = heap.first?.id, id <= limit else { return nil }
    removeFirst()
    return actions.removeValue(forKey: id)
  }

  /// Entries kept, cancelled ones included.
  var heapCount: Int { heap.count }

  /// The number of the timer set last.
  var newest: UInt64 { lastID }

  private mutating func removeFirst() {
    heap.swapAt(0, heap.count - 1)
    heap.removeLast()
    siftDown(0)
  }

  private mutating func siftUp(_ start: Int) {
    var child = start
    while child > 0 {
      let parent = (child - 1) / 2
      guard heap[child].isBefore(heap[parent]) else { return }
      heap.swapAt(child, parent)
      child = parent
    }
  }

  private mutating func siftDown(_ start: Int) {
    var parent = start
    while true {
      var least = parent
      for child in [2 * parent + 1, 2 * parent + 2] where child < heap.count {
        if heap[child].isBefore(heap[least]) { least = child }
      }
      guard least != parent else { return }
      heap.swapAt(parent, least)
      parent = least
    }
  }
}
