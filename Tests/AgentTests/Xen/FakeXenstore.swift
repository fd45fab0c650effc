import CLinux
import Glibc

@testable import Agent

/// Speaks xenstored's side of the protocol on a socket, on the reactor's thread: read, directory, watch, unwatch, and
/// the events of `set` and `remove` as the real daemon sends them.
final class FakeXenstore {
  private let reactor: Reactor
  private let path: String
  private var listener: Int32 = -1
  private var nodes: [String: String] = [:]
  private var connections: [Int32: Connection] = [:]
  private(set) var requests = 0

  private final class Connection {
    var decoder = XenstoreDecoder()
    var watches: [(path: String, token: String)] = []
  }

  init(reactor: Reactor, path: String) throws {
    self.reactor = reactor
    self.path = path
    try listen()
  }

  func listen() throws {
    listener = weft_unix_socket(Array(path.utf8), UInt32(path.utf8.count), 1)
    precondition(listener >= 0)
    try reactor.watch(listener, for: .read) { [unowned self] in
      let fd = accept(listener, nil, nil)
      let connection = Connection()
      connections[fd] = connection
      do { try reactor.watch(fd, for: .read) { [unowned self] in serve(fd, connection) } } catch {}
    }
  }

  func stop() {
    for fd in [listener] + Array(connections.keys) {
      reactor.unwatch(fd)
      close(fd)
    }
    connections = [:]
    unlink(path)
  }

  func set(_ node: String, _ value: String) {
    nodes[node] = value
    fire(node)
  }

  func remove(_ node: String) {
    nodes = nodes.filter { $0.key != node && !$0.key.hasPrefix(node + "/") }
    fire(node)
  }

  /// Any bytes to every client.
  func say(_ bytes: [UInt8]) { for fd in connections.keys { write(fd, bytes, bytes.count) } }

  private func fire(_ node: String) {
    for (fd, connection) in connections {
      for watch in connection.watches where node == watch.path || node.hasPrefix(watch.path + "/") {
        send(fd, XenstoreMessage(.watchEvent, request: 0, strings: [node, watch.token]))
      }
    }
  }

  private func serve(_ fd: Int32, _ connection: Connection) {
    var bytes = [UInt8](repeating: 0, count: 4096)
    let count = read(fd, &bytes, bytes.count)
    guard count > 0 else {
      reactor.unwatch(fd)
      close(fd)
      connections[fd] = nil
      return
    }
    connection.decoder.append(bytes[..<count])
    while let message = try? connection.decoder.next() { answer(fd, connection, message) }
  }

  private func answer(_ fd: Int32, _ connection: Connection, _ message: XenstoreMessage) {
    requests += 1
    let strings = message.strings
    switch XenstoreMessage.Kind(rawValue: message.kind) {
    case .read:
      guard let value = nodes[strings[0]] else { return fail(fd, message, "ENOENT") }
      send(fd, XenstoreMessage(.read, request: message.request, payload: Array(value.utf8)))
    case .directory:
      let prefix = strings[0] + "/"
      let children = Set(
        nodes.keys.filter { $0.hasPrefix(prefix) }.map { $0.dropFirst(prefix.count).prefix { $0 != "/" } })
      guard !children.isEmpty else { return fail(fd, message, "ENOENT") }
      send(fd, XenstoreMessage(.directory, request: message.request, strings: children.map(String.init).sorted()))
    case .watch:
      connection.watches.append((strings[0], strings[1]))
      send(fd, XenstoreMessage(.watch, request: message.request, strings: ["OK"]))
      send(fd, XenstoreMessage(.watchEvent, request: 0, strings: strings))
    case .unwatch:
      connection.watches.removeAll { $0.path == strings[0] }
      send(fd, XenstoreMessage(.unwatch, request: message.request, strings: ["OK"]))
    default: fail(fd, message, "ENOSYS")
    }
  }

  private func fail(_ fd: Int32, _ message: XenstoreMessage, _ word: String) {
    send(fd, XenstoreMessage(.error, request: message.request, strings: [word]))
  }

  /// In two pieces, as a stream may cut anywhere.
  private func send(_ fd: Int32, _ message: XenstoreMessage) {
    let bytes = message.encoded
    write(fd, bytes, 7)
    write(fd, Array(bytes[7...]), bytes.count - 7)
  }
}
