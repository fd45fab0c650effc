/// What happened on this host, newest last, for `weft events`: a ring of bounded length.
struct EventLog {
  struct Entry: Sendable {
    let sequence: UInt64
    /// Seconds since 1970 by the wall clock; only ever shown, never compared.
    let time: Int64
    let kind: String
    let message: String
  }

  private(set) var entries: [Entry] = []
  private var next: UInt64 = 1
  private let capacity: Int

  init(capacity: Int = 2000) { self.capacity = capacity }

  mutating func append(kind: String, message: String, time: Int64) -> Entry {
    let entry = Entry(sequence: next, time: time, kind: kind, message: message)
    next += 1
    entries.append(entry)
    if entries.count >= capacity * 2 { entries.removeFirst(entries.count - capacity) }
    return entry
  }

  /// The entries numbered above `sequence`.
  func after(_ sequence: UInt64) -> [Entry] {
    let first = entries.firstIndex { $0.sequence > sequence } ?? entries.endIndex
    return Array(entries[first...].suffix(capacity))
  }
}
