import Registry

/// Why a network does not stand on this host as it should, with a sentence that says what to do.
package enum OverlayProblem: Hashable, Sendable, CustomStringConvertible {
  /// The network's frames must be encrypted and this host cannot. The reason is a sentence that names what is missing.
  case cannotEncrypt(network: String, Encapsulation, reason: String?)
  case cannotCarry(network: String, Encapsulation, reason: String?)
  /// See `NetworkPlanInput.conflict`.
  case conflict(String)
  /// A device that is not ours, or is another network's, has the name.
  case nameTaken(device: String, alias: String?)

  package var description: String {
    switch self {
    case .cannotEncrypt(let network, let encapsulation, let reason):
      "This host cannot encrypt network \(network) (\(encapsulation.description.uppercased()) in ESP)"
        + Self.because(reason)
        + " 'weft doctor' tells more; make the network with --encryption off only if its frames may cross the underlay "
        + "in clear."
    case .cannotCarry(let network, let encapsulation, let reason):
      "This host cannot carry network \(network) by \(encapsulation.description.uppercased())" + Self.because(reason)
        + " 'weft doctor' tells more; or make the network with another --encap."
    case .conflict(let sentence): sentence
    case .nameTaken(let device, let alias):
      "An interface named \(device) stands already and does not belong to this network ("
        + (alias.map { "its alias is '\($0)'" } ?? "it has no alias of Weft")
        + "): remove or rename it on this host, or make the network with another --bridge or --vni."
    }
  }

  private static func because(_ reason: String?) -> String { reason.map { ": \($0)" } ?? "." }
}
