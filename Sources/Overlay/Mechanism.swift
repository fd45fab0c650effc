import Registry

/// A way to carry a network's frames to other hosts. Every way that this release knows has a case; a host has those that
/// it was seen to be able to.
package enum Mechanism: Hashable, Sendable, CaseIterable {
  /// A VXLAN device of the kernel (RFC 7348), frames in clear.
  case kernelVXLANInClear
  /// The same, every packet inside ESP of the kernel in transport mode (RFC 4303).
  case kernelVXLANInESP
  /// A GRE device of the kernel for each other host (RFC 2784, with the key of RFC 2890), frames in clear.
  case kernelGREInClear
  /// The same, every packet inside ESP.
  case kernelGREInESP
  /// A TAP, whose frames this agent carries as VXLAN inside ESP inside UDP (RFC 3948).
  case userVXLANInESP
  /// The same with GRE.
  case userGREInESP

  /// Whether frames are encrypted.
  package var isProtected: Bool {
    switch self {
    case .kernelVXLANInESP, .kernelGREInESP, .userVXLANInESP, .userGREInESP: true
    case .kernelVXLANInClear, .kernelGREInClear: false
    }
  }

  /// Whether this agent carries the frames itself.
  package var isInUserSpace: Bool {
    switch self {
    case .userVXLANInESP, .userGREInESP: true
    case .kernelVXLANInClear, .kernelVXLANInESP, .kernelGREInClear, .kernelGREInESP: false
    }
  }

  /// The ways for a network of this kind, best first.
  package static func ways(_ encapsulation: Encapsulation, _ encryption: Encryption) -> [Mechanism] {
    switch (encapsulation, encryption) {
    case (.vxlan, .off): [.kernelVXLANInClear]
    case (.vxlan, .required): [.kernelVXLANInESP, .userVXLANInESP]
    case (.gre, .off): [.kernelGREInClear]
    case (.gre, .required): [.kernelGREInESP, .userGREInESP]
    }
  }

  /// The way for a network of this kind among those that the host has.
  package static func choose(
    _ encapsulation: Encapsulation, _ encryption: Encryption, from available: Set<Mechanism>
  ) -> Mechanism? {
    ways(encapsulation, encryption).first { available.contains($0) }
  }

  /// Why there is none, where none is available; nil if nobody said.
  ///
  /// - Parameter reasons: sentences that say what is missing for a way.
  package static func obstacle(
    to encapsulation: Encapsulation, _ encryption: Encryption, in reasons: [Mechanism: String]
  ) -> String? {
    let sentences = ways(encapsulation, encryption).compactMap { reasons[$0] }
    return sentences.isEmpty ? nil : sentences.joined(separator: " ")
  }
}

extension Mechanism: CustomStringConvertible {
  package var description: String {
    switch self {
    case .kernelVXLANInClear: "kernel VXLAN in clear"
    case .kernelVXLANInESP: "kernel VXLAN in ESP"
    case .kernelGREInClear: "kernel GRE in clear"
    case .kernelGREInESP: "kernel GRE in ESP"
    case .userVXLANInESP: "user-space VXLAN in ESP in UDP"
    case .userGREInESP: "user-space GRE in ESP in UDP"
    }
  }
}
