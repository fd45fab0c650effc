import Glibc
import Synchronization

/// The agent's state directory: named files of opaque bytes that are either the old content or the new one, whatever
/// happens and whenever; never a mixture, and never silently nothing.
///
/// A file is written beside its place, synced, renamed into it, and the directory is synced: when `write` returns, the
/// content outlives a power failure. Calls block for that long (milliseconds, on a bad disk seconds). One at a time is
/// served, from any thread. Take an `InstanceLock` before the first write.
package final class StateDirectory: Sendable {
  package let path: String
  /// No file of ours comes near.
  package static let maximumSize = 256 << 20

  /// The system calls of one `write`, so that tests can stop it before any of them, as a crash does.
  enum Step: CaseIterable {
    case create, write, sync, rename, syncDirectory
  }

  struct Interrupted: Error {}

  private let fd: Int32
  private let turn = Mutex(())
  private let before: @Sendable (Step) -> Bool

  /// Opens the directory, and makes it (mode 0700) if it is missing. Refuses one that another user owns or can write to.
  package convenience init(path: String) throws(StateError) { try self.init(path: path) { _ in true } }

  /// - Parameter before: asked before each step of a write; false ends the write there and then, as a crash would.
  init(path: String, before: @escaping @Sendable (Step) -> Bool) throws(StateError) {
    self.path = path
    self.before = before
    if mkdir(path, 0o700) != 0, errno != EEXIST {
      let error = SystemCallError("mkdir")
      throw error.code == ENOENT ? .noParent(path) : StateError(path, error)
    }
    fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
    guard fd >= 0 else {
      let error = SystemCallError("open")
      throw error.code == ENOTDIR ? .notADirectory(path) : StateError(path, error)
    }
    var status = stat()
    guard fstat(fd, &status) == 0 else { throw StateError(path, SystemCallError("fstat")) }
    guard status.st_uid == geteuid() else { throw .notOurs(path, owner: status.st_uid) }
    guard status.st_mode & 0o022 == 0 else { throw .writableByOthers(path) }
  }

  deinit { close(fd) }

  /// The content of `file`; nil if it was never written.
  ///
  /// - Throws: `lost` if it is missing but a file is there that is only ever written after it, and the other cases of
  ///   `StateError` for anything but exactly what was written.
  package func read(_ file: StateFile) throws(StateError) -> [UInt8]? {
    let path = path(file)
    guard let bytes = try contents(file, path) else {
      for other in StateFile.allCases where other.foundations.contains(file) && exists(other) { throw .lost(path) }
      return nil
    }
    return try StateEnvelope.open(bytes, as: file, path: path)
  }

  /// Replaces `file`. When this returns the new content is on the disk; when it throws, the old content is in force
  /// (only if the very last sync fails it can be either).
  ///
  /// - Throws: also `lost` if a file that must come before this one is missing.
  package func write(_ file: StateFile, _ content: [UInt8]) throws(StateError) {
    let path = path(file)
    guard content.count <= Self.maximumSize else { throw .tooLarge(path) }
    for other in file.foundations where !exists(other) { throw .lost(self.path(other)) }
    let bytes = StateEnvelope.seal(content, as: file)
    do {
      try turn.withLock { _ in try replace(file, bytes) }
    } catch let error as SystemCallError {
      throw StateError(path, error)
    } catch {
      throw .system(path, SystemCallError("interrupted write", code: EINTR))
    }
  }

  /// Deletes `file`, durably. Nothing happens if it is not there.
  package func remove(_ file: StateFile) throws(StateError) {
    let error = turn.withLock { _ -> SystemCallError? in
      if unlinkat(fd, file.name, 0) != 0, errno != ENOENT { return SystemCallError("unlinkat") }
      return fsync(fd) == 0 ? nil : SystemCallError("fsync")
    }
    if let error { throw StateError(path(file), error) }
  }

  /// Removes what a crash in the middle of a write left. Call it once, with the lock held.
  package func removeLeftovers() {
    turn.withLock { _ in for file in StateFile.allCases { unlinkat(fd, file.temporaryName, 0) } }
  }

  /// Opens the lock file, which is none of the `StateFile`s.
  func openLockFile() throws(StateError) -> Int32 {
    let lock = openat(fd, "lock", O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0o600)
    guard lock >= 0 else { throw StateError("\(path)/lock", SystemCallError("openat")) }
    return lock
  }

  private func path(_ file: StateFile) -> String { "\(path)/\(file.name)" }

  private func exists(_ file: StateFile) -> Bool { faccessat(fd, file.name, F_OK, AT_SYMLINK_NOFOLLOW) == 0 }
}

// MARK: - System calls

extension StateDirectory {
  private func contents(_ file: StateFile, _ path: String) throws(StateError) -> [UInt8]? {
    let input = openat(fd, file.name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK)
    guard input >= 0 else {
      let error = SystemCallError("openat")
      switch error.code {
      case ENOENT: return nil
      case ELOOP: throw .notAFile(path)
      default: throw StateError(path, error)
      }
    }
    defer { close(input) }
    var status = stat()
    guard fstat(input, &status) == 0 else { throw StateError(path, SystemCallError("fstat")) }
    guard status.st_mode & S_IFMT == S_IFREG else { throw .notAFile(path) }
    guard status.st_uid == geteuid() else { throw .notOurs(path, owner: status.st_uid) }
    guard status.st_mode & 0o077 == 0 else { throw .openToOthers(path) }
    guard status.st_size <= Self.maximumSize + StateEnvelope.headerSize else { throw .tooLarge(path) }
    var failure: SystemCallError?
    let bytes = [UInt8](unsafeUninitializedCapacity: Int(status.st_size)) { buffer, count in
      while count < buffer.count {
        let got = Glibc.read(input, buffer.baseAddress.map { $0 + count }, buffer.count - count)
        if got > 0 {
          count += got
        } else if got == 0 {
          return
        } else if errno != EINTR {
          failure = SystemCallError("read")
          return
        }
      }
    }
    if let failure { throw StateError(path, failure) }
    return bytes
  }

  private func replace(_ file: StateFile, _ bytes: [UInt8]) throws {
    try step(.create)
    let output = openat(fd, file.temporaryName, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0o600)
    guard output >= 0 else { throw SystemCallError("openat") }
    do {
      defer { close(output) }
      // Whatever the umask and whatever a leftover file had.
      guard fchmod(output, 0o600) == 0 else { throw SystemCallError("fchmod") }
      try step(.write)
      try write(bytes, to: output)
      try step(.sync)
      guard fsync(output) == 0 else { throw SystemCallError("fsync") }
      try step(.rename)
      guard renameat(fd, file.temporaryName, fd, file.name) == 0 else { throw SystemCallError("renameat") }
    } catch let error as SystemCallError {
      unlinkat(fd, file.temporaryName, 0)
      throw error
    }
    try step(.syncDirectory)
    guard fsync(fd) == 0 else { throw SystemCallError("fsync") }
  }

  private func write(_ bytes: [UInt8], to output: Int32) throws {
    var done = 0
    while done < bytes.count {
      let count = bytes.withUnsafeBytes { Glibc.write(output, $0.baseAddress.map { $0 + done }, $0.count - done) }
      if count < 0, errno == EINTR { continue }
      guard count >= 0 else { throw SystemCallError("write") }
      done += count
    }
  }

  private func step(_ step: Step) throws { if !before(step) { throw Interrupted() } }
}
