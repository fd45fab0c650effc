import Wire

/// Statements that say that something is gone: kept for a while, so that their sequences are known, then forgotten.
struct FadingStatements: Sendable {
  struct Entry: Sendable {
    var since: Instant
    var host: HostID
    var boot: Boot
    var key: StatementKey
    var version: Version
  }

  private var entries: [Entry] = []
  private var start = 0

  mutating func append(_ entry: Entry) { entries.append(entry) }

  /// Those older than `retention`, oldest first; they are no more in the list.
  mutating func takeDue(now: Instant, retention: Duration) -> [Entry] {
    var due: [Entry] = []
    while start < entries.count, now - entries[start].since >= retention {
      due.append(entries[start])
      start += 1
    }
    if start > 1024, start * 2 > entries.count {
      entries.removeFirst(start)
      start = 0
    }
    return due
  }
}
