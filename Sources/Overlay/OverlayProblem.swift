import Registry

/// Why a network does not stand on this host as it should, with a sentence that says what to do.
package enum OverlayProblem: Hashable, Sendable, CustomStringConvertible {
  /// The network's frames must be encrypted and this host cannot.
  case cannotEncrypt(network: String)
  case cannotCarry(network: String, Encapsulation)
  /// See `NetworkPlanInput.conflict`.
  case conflict(String)
  /// A device that is not ours, or is another network's, has the name.
  case nameTaken(device: String, alias: String?)

  package var description: String {
    switch self {
    case .cannotEncrypt(let network):
      "This host cannot encrypt, and network \(network) requires it: make the network with --encryption off if its "
        + "frames may cross the underlay in clear, or see 'weft doctor' for what the kernel lacks."
    case .cannotCarry(let network, let encapsulation):
      "This host cannot carry network \(network) by \(encapsulation): see 'weft doctor' for what the kernel lacks, or "
        + "make the network with another --encap."
    case .conflict(let sentence): sentence
    case .nameTaken(let device, let alias):
      "An interface named \(device) stands already and does not belong to this network ("
        + (alias.map { "its alias is '\($0)'" } ?? "it has no alias of Weft")
        + "): remove or rename it on this host, or make the network with another --bridge or --vni."
    }
  }
}
