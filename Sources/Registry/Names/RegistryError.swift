import Wire

/// Why a wish of the administrator was not carried out. `description` is the sentence that tells what to do.
package enum RegistryError: Error, Equatable, CustomStringConvertible {
  case invalidNetworkName(String)
  case invalidHostName(String)
  case invalidBridge(String, why: String)
  case invalidMTU(Int)
  case invalidVNI(Int)
  case invalidOption(String)
  case nameTaken(String)
  case vniTaken(VNI, by: String)
  case bridgeTaken(String, by: String)
  case noSuchNetwork(String)
  case ambiguousNetwork(String, [NetworkID])
  case hostIsGone(HostID)
  case counterExhausted

  package var description: String {
    switch self {
    case .invalidNetworkName(let name):
      "\(Self.quoted(name)) cannot be the name of a network: use 1 to 63 ASCII letters, digits, '.', '_' or '-', "
        + "the first a letter or digit."
    case .invalidHostName(let name):
      "\(Self.quoted(name)) cannot be the name of a host: use 1 to 63 ASCII letters, digits, '.', '_' or '-', "
        + "the first a letter or digit."
    case .invalidBridge(let name, let why):
      "\(Self.quoted(name)) cannot be the name of a bridge: \(why). Choose another with --bridge."
    case .invalidMTU(let value):
      "An MTU of \(value) is out of range: choose one from \(NetworkMTU.range.lowerBound) to "
        + "\(NetworkMTU.range.upperBound)."
    case .invalidVNI(let value): "A VNI of \(value) is out of range: choose one from 1 to 16777215."
    case .invalidOption(let name):
      "\(Self.quoted(name)) cannot be the name of an option: use 1 to 63 ASCII letters, digits, '.', '_' or '-'."
    case .nameTaken(let name): "A network named \(name) exists already: choose another name, or delete that one first."
    case .vniTaken(let vni, let name): "VNI \(vni) belongs to network \(name): choose another with --vni."
    case .bridgeTaken(let bridge, let name):
      "Bridge \(bridge) belongs to network \(name): choose another with --bridge."
    case .noSuchNetwork(let name):
      "There is no network \(Self.quoted(name)): `weft network list` shows those there are."
    case .ambiguousNetwork(let name, let ids):
      "Several networks are named \(name): say which one by its UUID (\(ids.map(\.description).joined(separator: ", ")))."
    case .hostIsGone(let host): "Host \(host) left the pool or was evicted: it can only join again with a new identity."
    case .counterExhausted: "The pool's record counter is at its end: no further change can be recorded."
    }
  }

  /// User text in an error is cut and freed of control characters.
  private static func quoted(_ text: String) -> String {
    let shown = text.unicodeScalars.prefix(64).map {
      $0.isASCII && $0.value >= 32 && $0.value < 127 ? Character($0) : "?"
    }
    return "\"" + String(shown) + "\""
  }
}
