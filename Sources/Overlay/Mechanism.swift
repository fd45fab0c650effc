import Registry

/// A way to carry a network's frames to other hosts. Every way that this release knows has a case; a host has those that
/// its kernel was seen to be able to.
package enum Mechanism: Hashable, Sendable, CaseIterable {
  /// A VXLAN device of the kernel, frames in clear.
  case kernelVXLANInClear

  /// The way for a network of this kind among those that the host has.
  package static func choose(
    _ encapsulation: Encapsulation, _ encryption: Encryption, from available: Set<Mechanism>
  ) -> Mechanism? {
    switch (encapsulation, encryption) {
    case (.vxlan, .off): available.contains(.kernelVXLANInClear) ? .kernelVXLANInClear : nil
    case (.gre, _), (_, .required): nil
    }
  }
}
