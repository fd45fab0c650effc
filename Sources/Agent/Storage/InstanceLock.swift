import CLinux
import Glibc

/// One agent per state directory (a lock on a file there) and one per network namespace (an abstract socket, whose
/// names belong to the namespace). The kernel gives both back when the process ends, however it ends.
package final class InstanceLock {
  private let file: Int32
  /// Readable when a second agent asks who holds the namespace: then call `answer`.
  package let fileDescriptor: Int32

  /// Takes both locks, and then removes what a crashed predecessor left in the directory.
  ///
  /// - Parameter socket: the path of the agent's control socket, told to whoever is refused.
  package convenience init(_ directory: StateDirectory, socket: String) throws(InstanceLockError) {
    try self.init(directory, socket: socket, name: "weft-agent")
  }

  init(_ directory: StateDirectory, socket: String, name: String) throws(InstanceLockError) {
    do throws(StateError) { file = try directory.openLockFile() } catch { throw .state(error) }
    guard flock(file, LOCK_EX | LOCK_NB) == 0 else {
      let code = errno
      let holder = Self.contents(of: file)
      close(file)
      guard code == EWOULDBLOCK else {
        throw .state(StateError("\(directory.path)/lock", SystemCallError("flock", code: code)))
      }
      throw .directoryTaken(directory.path, holder: holder)
    }
    let address = [0] + Array(name.utf8)
    let listener = weft_unix_socket(address, UInt32(address.count), 1)
    guard listener >= 0 else {
      Self.giveBack(file)
      guard listener == -EADDRINUSE else {
        throw .state(.system("the lock of this network namespace", SystemCallError("bind", code: -listener)))
      }
      throw .namespaceTaken(pid: Self.holder(of: address))
    }
    fileDescriptor = listener
    let text = Array("pid \(getpid()), socket \(socket)".utf8)
    ftruncate(file, 0)
    pwrite(file, text, text.count, 0)
    directory.removeLeftovers()
  }

  deinit {
    close(fileDescriptor)
    Self.giveBack(file)
  }

  /// A program that another thread is starting has a copy of the descriptor for a moment, and with it the lock.
  private static func giveBack(_ file: Int32) {
    flock(file, LOCK_UN)
    close(file)
  }

  /// Lets go those who connected: that they could is all that they wanted to know.
  package func answer() {
    while true {
      let caller = accept(fileDescriptor, nil, nil)
      guard caller >= 0 else { return }
      close(caller)
    }
  }

  private static func contents(of file: Int32) -> String {
    var bytes = [UInt8](repeating: 0, count: 512)
    let count = max(0, pread(file, &bytes, bytes.count, 0))
    return String(decoding: bytes[..<count].filter { $0 >= 0x20 && $0 != 0x7f }, as: UTF8.self)
  }

  private static func holder(of address: [UInt8]) -> Int32? {
    let connection = weft_unix_socket(address, UInt32(address.count), 0)
    guard connection >= 0 else { return nil }
    defer { close(connection) }
    let pid = weft_peer_pid(connection)
    return pid > 0 ? pid : nil
  }
}

/// Why this agent may not run here.
package enum InstanceLockError: Error, Equatable, CustomStringConvertible {
  case directoryTaken(String, holder: String)
  /// No pid if the holder is hidden from this process (another PID namespace).
  case namespaceTaken(pid: Int32?)
  case state(StateError)

  package var description: String {
    switch self {
    case .directoryTaken(let path, let holder):
      "Another weftd uses the state directory \(path) (\(holder.isEmpty ? "just starting" : holder)): talk to that one,"
        + " or stop it first, or pass another --state-dir."
    case .namespaceTaken(let pid):
      "Another weftd runs in this network namespace (\(pid.map { "pid \($0)" } ?? "in another PID namespace")): stop it"
        + " first; one agent serves the whole host."
    case .state(let error): error.description
    }
  }
}
