/// Why the API cannot be served at a path.
package enum SocketPathError: Error, Equatable, CustomStringConvertible {
  case notAbsolute(String)
  case tooLong(String)
  case notASocket(String)
  case inUse(String)
  case noDirectory(String, reason: String)
  case unusable(String, reason: String)

  package var description: String {
    switch self {
    case .notAbsolute(let path):
      "'\(path.prefix(120))' cannot be a socket: pass --socket with an absolute path to a file."
    case .tooLong(let path):
      "The path of the socket has \(path.utf8.count) bytes and at most "
        + "\(SocketPath.maximumLength) work: pass a shorter one with --socket."
    case .notASocket(let path):
      "\(path) exists and is not a socket: remove it, or pass another path with --socket."
    case .inUse(let path):
      "An agent already answers at \(path): stop it first, or pass another path with --socket."
    case .noDirectory(let directory, let reason):
      "The directory \(directory) for the socket cannot be made (\(reason)): make it, or pass another path with --socket."
    case .unusable(let path, let reason):
      "No socket can be opened at \(path) (\(reason)): run the agent as root, or pass another path with --socket."
    }
  }
}
