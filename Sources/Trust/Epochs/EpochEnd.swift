import Wire

/// One epoch of one host, as the derivation of its keys names it: a boot, and a number within it.
package struct EpochEnd: Hashable, Sendable {
  package let host: HostID
  package let boot: Boot
  package let number: UInt64

  package init(host: HostID, boot: Boot, number: UInt64) {
    self.host = host
    self.boot = boot
    self.number = number
  }
}
