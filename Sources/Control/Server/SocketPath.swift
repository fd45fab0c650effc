#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#endif

/// The file name at which a unix socket listens: prepared, published and removed.
///
/// The server binds under a passing name of the same length, sets the mode, and only then renames the file to its
/// place: under that name it never has another mode, and the socket of a dead agent is replaced in one step.
struct SocketPath: Sendable {
  /// What swift-nio takes; `sun_path` of unix(7) holds 107 bytes on Linux and 103 elsewhere.
  static let maximumLength = 103

  let path: String

  /// - Throws: `SocketPathError` if no socket can be at `path`.
  init(_ path: String) throws(SocketPathError) {
    guard path.hasPrefix("/"), !path.hasSuffix("/"), !path.utf8.contains(0) else { throw .notAbsolute(path) }
    guard path.utf8.count <= Self.maximumLength else { throw .tooLong(path) }
    self.path = path
  }

  /// The same name with another last byte.
  var passing: String {
    String(decoding: path.utf8.dropLast(), as: UTF8.self) + (path.utf8.last == UInt8(ascii: "~") ? "-" : "~")
  }

  /// Makes the directory and sees that no living agent and nothing that is not a socket has the name.
  func prepare() throws(SocketPathError) {
    try makeDirectory()
    var status = stat()
    guard lstat(path, &status) == 0 else {
      if errno == ENOENT { return }
      throw .unusable(path, reason: errorText())
    }
    guard status.st_mode & S_IFMT == S_IFSOCK else { throw .notASocket(path) }
    switch UnixSocket.probe(path) {
    case .refused: return
    case .answers: throw .inUse(path)
    case .failed(let code): throw .unusable(path, reason: errorText(code))
    }
  }

  /// Gives the bound socket mode 0660 and its name.
  /// - Returns: what tells this file from a later one of the same name.
  func publish() throws(SocketPathError) -> Identity {
    guard chmod(passing, 0o660) == 0, rename(passing, path) == 0 else {
      let reason = errorText()
      unlink(passing)
      throw .unusable(path, reason: reason)
    }
    guard let identity = Identity(path) else { throw .unusable(path, reason: errorText()) }
    return identity
  }

  /// Removes the file if it is still the one that was published.
  func remove(_ identity: Identity) { if Identity(path) == identity { unlink(path) } }

  private func makeDirectory() throws(SocketPathError) {
    var end = path.index(after: path.startIndex)
    while let slash = path[end...].firstIndex(of: "/") {
      let directory = String(path[..<slash])
      if mkdir(directory, 0o755) != 0, errno != EEXIST { throw .noDirectory(directory, reason: errorText()) }
      end = path.index(after: slash)
    }
  }

  /// Device and inode of a file.
  struct Identity: Sendable, Equatable {
    let device: UInt
    let inode: UInt

    init?(_ path: String) {
      var status = stat()
      guard lstat(path, &status) == 0 else { return nil }
      device = UInt(status.st_dev)
      inode = UInt(status.st_ino)
    }
  }
}

private func errorText(_ code: Int32 = errno) -> String { String(cString: strerror(code)) }
