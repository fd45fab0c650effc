import Wire

/// The counter of an agent's runs, which orders them for the whole pool.
package enum BootCounter {
  /// Begins a new run: the stored counter (0 at first), or `past` if that is higher, plus one; and 64 random bits. It is
  /// on the disk when this returns, so no packet of this run can be taken for one of an earlier run.
  ///
  /// - Parameter past: the counter of another boot of this host that the pool knows of, if the host heard of one.
  package static func advance(_ directory: StateDirectory, past: UInt64 = 0) throws(StateError) -> Boot {
    let file = "\(directory.path)/\(StateFile.boot.name)"
    var stored: UInt64 = 0
    if let bytes = try directory.read(.boot) {
      guard bytes.count == 8 else { throw .damaged(file, .cut) }
      stored = bytes.reduce(0) { $0 << 8 | UInt64($1) }
    }
    let (counter, overflow) = max(stored, past).addingReportingOverflow(1)
    guard !overflow else { throw .bootsExhausted(file) }
    var writer = ByteWriter(capacity: 8)
    writer.append(counter)
    try directory.write(.boot, writer.bytes)
    return Boot(counter: counter, nonce: .random(in: .min ... .max))
  }
}
