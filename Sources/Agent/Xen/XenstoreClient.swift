import CLinux
import Glibc
import Wire

/// A connection to the xenstore of this machine: asks and listens without waiting, on the thread of a reactor.
final class XenstoreClient {
  /// Where the daemon listens, and where the kernel lets a domain talk to it, in the order in which they are tried.
  static let paths = [
    "/run/xenstored/socket", "/var/run/xenstored/socket", "/dev/xen/xenbus", "/proc/xen/xenbus",
  ]

  private let reactor: Reactor
  private let fd: Int32
  private var decoder = XenstoreDecoder()
  private var outgoing: [UInt8] = []
  private var lastRequest: UInt32 = 0
  private var waiting: [UInt32: (Result<XenstoreMessage, XenstoreError>) -> Void] = [:]
  private var watches: [String: (String) -> Void] = [:]
  private var isOpen = true
  private var isBlocked = false
  private var input = [UInt8](repeating: 0, count: 16_384)

  /// Called once when the connection ends without `close`, after all that waited was told.
  var onEnd: ((XenstoreError) -> Void)?

  /// Connects to the first of `paths` that answers. On the reactor's thread, as all calls.
  ///
  /// - Throws: `absent` if none of them exists, `unreachable` if one does but gives no connection.
  init(reactor: Reactor, paths: [String] = XenstoreClient.paths) throws(XenstoreError) {
    self.reactor = reactor
    var failure = XenstoreError.absent
    var opened: Int32?
    for path in paths where opened == nil {
      do throws(SystemCallError) { opened = try Self.open(path) } catch {
        if error.code != ENOENT && error.code != ENXIO && error.code != ENODEV { failure = .unreachable(path, error) }
      }
    }
    guard let opened else { throw failure }
    fd = opened
    do throws(SystemCallError) {
      try reactor.watch(fd, for: .read) { [weak self] in self?.receive() }
    } catch {
      Glibc.close(opened)
      throw .unreachable("xenstore", error)
    }
  }

  deinit {
    guard isOpen else { return }
    // Whoever lets go of the last reference may be on any thread.
    if reactor.isCurrent { reactor.unwatch(fd) }
    Glibc.close(fd)
  }

  /// Ends the connection; whoever waits is told `closed`.
  func close() {
    guard isOpen else { return }
    isOpen = false
    reactor.unwatch(fd)
    Glibc.close(fd)
    watches = [:]
    let left = waiting.sorted { $0.key < $1.key }
    waiting = [:]
    for (_, handler) in left { handler(.failure(.closed)) }
  }

  /// The value of a node.
  func read(_ path: String, _ handler: @escaping (Result<[UInt8], XenstoreError>) -> Void) {
    ask(.read, [path]) { handler($0.map(\.payload)) }
  }

  /// The names of a node's children.
  func directory(_ path: String, _ handler: @escaping (Result<[String], XenstoreError>) -> Void) {
    ask(.directory, [path]) { handler($0.map(\.strings)) }
  }

  /// Calls `onEvent` with the path of each change at or below `path`, and once at the start. A path has one watch.
  func watch(_ path: String, onEvent: @escaping (String) -> Void) {
    watches[path] = onEvent
    ask(.watch, [path, path]) { [weak self] result in
      if case .failure = result { self?.watches[path] = nil }
    }
  }

  func unwatch(_ path: String) {
    guard watches.removeValue(forKey: path) != nil else { return }
    ask(.unwatch, [path, path]) { _ in }
  }
}

// MARK: - The stream

extension XenstoreClient {
  private static func open(_ path: String) throws(SystemCallError) -> Int32 {
    var status = stat()
    guard stat(path, &status) == 0 else { throw SystemCallError("stat") }
    if status.st_mode & S_IFMT == S_IFSOCK {
      let fd = weft_unix_socket(Array(path.utf8), UInt32(path.utf8.count), 0)
      guard fd >= 0 else { throw SystemCallError("connect", code: -fd) }
      return fd
    }
    let fd = Glibc.open(path, O_RDWR | O_NONBLOCK | O_CLOEXEC)
    guard fd >= 0 else { throw SystemCallError("open") }
    return fd
  }

  private func ask(
    _ kind: XenstoreMessage.Kind, _ strings: [String],
    _ handler: @escaping (Result<XenstoreMessage, XenstoreError>) -> Void
  ) {
    guard isOpen else { return handler(.failure(.closed)) }
    repeat { lastRequest &+= 1 } while waiting[lastRequest] != nil
    let message = XenstoreMessage(kind, request: lastRequest, strings: strings)
    guard message.payload.count <= XenstoreMessage.maximumPayload else { return handler(.failure(.refused("E2BIG"))) }
    waiting[lastRequest] = handler
    outgoing += message.encoded
    transmit()
  }

  private func transmit() {
    while !outgoing.isEmpty {
      let count = outgoing.withUnsafeBytes { write(fd, $0.baseAddress, $0.count) }
      if count > 0 {
        outgoing.removeFirst(count)
      } else if errno == EAGAIN {
        return awaitRoom()
      } else if errno != EINTR {
        return end(.broken(SystemCallError("write").description))
      }
    }
    if isBlocked { reactor.unwatch(fd, for: .write) }
    isBlocked = false
  }

  private func awaitRoom() {
    guard !isBlocked else { return }
    isBlocked = true
    do throws(SystemCallError) {
      try reactor.watch(fd, for: .write) { [weak self] in self?.transmit() }
    } catch {
      end(.broken(error.description))
    }
  }

  private func receive() {
    let count = Glibc.read(fd, &input, input.count)
    if count < 0, errno == EAGAIN || errno == EINTR { return }
    guard count > 0 else { return end(count == 0 ? .closed : .broken(SystemCallError("read").description)) }
    decoder.append(input[..<count])
    do throws(WireError) {
      // A handler may close the connection.
      while isOpen, let message = try decoder.next() { take(message) }
    } catch {
      end(.broken("The daemon sent what is not its protocol."))
    }
  }

  private func take(_ message: XenstoreMessage) {
    if message.kind == XenstoreMessage.Kind.watchEvent.rawValue {
      let strings = message.strings
      if strings.count >= 2, let handler = watches[strings[1]] { handler(strings[0]) }
      return
    }
    guard let handler = waiting.removeValue(forKey: message.request) else { return }
    guard message.kind == XenstoreMessage.Kind.error.rawValue else { return handler(.success(message)) }
    let name = message.strings.first ?? ""
    handler(.failure(name == "ENOENT" ? .missing : .refused(name)))
  }

  private func end(_ error: XenstoreError) {
    guard isOpen else { return }
    let onEnd = self.onEnd
    close()
    onEnd?(error)
  }
}

/// Why xenstore gave no answer.
enum XenstoreError: Error, Equatable, CustomStringConvertible {
  case absent
  case unreachable(String, SystemCallError)
  case missing
  /// With the daemon's own word, such as `EACCES`.
  case refused(String)
  case broken(String)
  case closed

  var description: String {
    switch self {
    case .absent:
      "There is no xenstore on this machine: VIFs are known by their interfaces and frames alone, without VM names."
    case .unreachable(let path, let error):
      "xenstore at \(path) cannot be used (\(error.reason)): run weftd as root in dom0, and see that xenstored runs."
    case .missing: "xenstore has no such node."
    case .refused(let word): "xenstore refused a request (\(word)): run weftd as root in dom0."
    case .broken(let reason): "The connection to xenstore broke: \(reason) It is tried again."
    case .closed: "xenstored closed the connection: see that it runs; it is tried again."
    }
  }
}
