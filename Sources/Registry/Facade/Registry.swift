import Wire

/// All that a host knows of the pool: what each host says of itself, and the records that outlive their writers.
///
/// A value without clock, socket or thread: each input returns what is to be done. After the inputs of a turn the
/// shell calls `flush`, which turns what changed here into signed batches and addresses them; when `deadline` has
/// come it calls `advance`.
package struct Registry: Sendable {
  package let host: HostID
  package let boot: Boot
  package let configuration: Configuration

  package init(host: HostID, boot: Boot, configuration: Configuration = Configuration(), seed: UInt64) {
    self.host = host
    self.boot = boot
    self.configuration = configuration
  }
}

/// Signs bytes with this host's identity key.
package typealias Sign = (_ message: [UInt8]) -> [UInt8]
/// Whether `signature` over `message` is the named host's. For pool records it also answers for hosts that left or were
/// evicted, because what they wrote before stays in force.
package typealias Verify = (_ author: HostID, _ message: [UInt8], _ signature: [UInt8]) -> Bool
