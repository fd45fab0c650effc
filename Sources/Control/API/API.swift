/// What the agent and its clients say to each other over the socket: HTTP/1.1 with JSON, keys in lowerCamelCase.
///
/// Every type here is part of the stable interface: a key is added, never renamed or taken away. A value that is not
/// known is `null`, a key is never left out. `Docs/reference/api.md` shows an example of each.
package enum API {
  /// The version of the interface: in the header `Weft-API` of every answer, and as `apiVersion` in every object.
  package static let version = 1

  /// The header that carries the version, in answers and (optional) in requests.
  package static let versionHeader = "Weft-API"

  /// The longest body that a request may have, in bytes.
  package static let maximumBody = 64 * 1024

  /// Where an agent listens unless it was told otherwise.
  package static let defaultSocket = "/run/weft/weft.sock"

  /// The release of Weft that this is, the same for agent and command line.
  package static let release = "0.1.0"
}
