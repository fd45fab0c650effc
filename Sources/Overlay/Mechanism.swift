import Registry

/// A way to carry a network's frames to other hosts. Every way that this release knows has a case; a host has those that
/// its kernel was seen to be able to.
package enum Mechanism: Hashable, Sendable, CaseIterable {
  /// A VXLAN device of the kernel (RFC 7348), frames in clear.
  case kernelVXLANInClear
  /// The same, every packet inside ESP of the kernel in transport mode (RFC 4303).
  case kernelVXLANInESP
  /// A GRE device of the kernel for each other host (RFC 2784, with the key of RFC 2890), frames in clear.
  case kernelGREInClear
  /// The same, every packet inside ESP.
  case kernelGREInESP

  /// Whether frames are encrypted.
  package var isProtected: Bool {
    switch self {
    case .kernelVXLANInESP, .kernelGREInESP: true
    case .kernelVXLANInClear, .kernelGREInClear: false
    }
  }

  /// The way for a network of this kind.
  package init(_ encapsulation: Encapsulation, _ encryption: Encryption) {
    self =
      switch (encapsulation, encryption) {
      case (.vxlan, .off): .kernelVXLANInClear
      case (.vxlan, .required): .kernelVXLANInESP
      case (.gre, .off): .kernelGREInClear
      case (.gre, .required): .kernelGREInESP
      }
  }

  /// The way for a network of this kind among those that the host has.
  package static func choose(
    _ encapsulation: Encapsulation, _ encryption: Encryption, from available: Set<Mechanism>
  ) -> Mechanism? {
    let mechanism = Mechanism(encapsulation, encryption)
    return available.contains(mechanism) ? mechanism : nil
  }
}

extension Mechanism: CustomStringConvertible {
  package var description: String {
    switch self {
    case .kernelVXLANInClear: "kernel VXLAN in clear"
    case .kernelVXLANInESP: "kernel VXLAN in ESP"
    case .kernelGREInClear: "kernel GRE in clear"
    case .kernelGREInESP: "kernel GRE in ESP"
    }
  }
}
