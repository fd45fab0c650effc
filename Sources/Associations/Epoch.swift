import Wire

/// One generation of a host's key pair for the data path (X25519), drawn in one boot and never stored. The number grows
/// within the boot, from 1.
package struct Epoch: Hashable, Sendable {
  package var boot: Boot
  package var number: UInt64

  package init(boot: Boot, number: UInt64) {
    self.boot = boot
    self.number = number
  }
}

extension Epoch: Comparable {
  package static func < (left: Self, right: Self) -> Bool {
    left.boot == right.boot ? left.number < right.number : left.boot < right.boot
  }
}
