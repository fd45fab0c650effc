import Control

#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#endif

/// What happened on this host, newest last, for `weft events`: a ring of bounded length.
struct EventLog {
  private var entries: [API.Event] = []
  private var next: UInt64 = 1
  private let capacity: Int

  init(capacity: Int = 2000) { self.capacity = capacity }

  mutating func append(_ event: Event, time: (seconds: Int64, nanoseconds: Int64)) -> API.Event {
    let entry = API.Event(
      id: next, seconds: time.seconds, nanoseconds: time.nanoseconds, kind: event.kind, message: event.message,
      host: event.host, network: event.network, mac: event.mac)
    next += 1
    entries.append(entry)
    if entries.count >= capacity * 2 { entries.removeFirst(entries.count - capacity) }
    return entry
  }

  /// Those numbered above `id`, at most the capacity.
  func after(_ id: UInt64) -> [API.Event] {
    let first = entries.firstIndex { $0.id > id } ?? entries.endIndex
    return Array(entries[first...].suffix(capacity))
  }
}

/// The time of day, for lines that people read. Nothing is decided by it.
enum WallClock {
  static func now() -> (seconds: Int64, nanoseconds: Int64) {
    var time = timespec()
    clock_gettime(CLOCK_REALTIME, &time)
    return (Int64(time.tv_sec), Int64(time.tv_nsec))
  }
}
