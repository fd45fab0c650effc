import Glibc

/// Runs blocking calls on a thread of their own, so that the server keeps its threads.
func offPool<Value: Sendable>(_ body: @escaping @Sendable () throws -> Value) async throws -> Value {
  try await withCheckedThrowingContinuation { continuation in
    let work = Unmanaged.passRetained(Work { continuation.resume(with: Result { try body() }) })
    var thread = pthread_t()
    let code = pthread_create(
      &thread, nil,
      { argument in
        guard let argument else { return nil }
        Unmanaged<Work>.fromOpaque(argument).takeRetainedValue().run()
        return nil
      }, work.toOpaque())
    if code == 0 {
      pthread_detach(thread)
    } else {
      work.release()
      continuation.resume(throwing: TestFault("pthread_create: \(code)"))
    }
  }
}

private final class Work: Sendable {
  let run: @Sendable () -> Void
  init(_ run: @escaping @Sendable () -> Void) { self.run = run }
}

/// A unix socket with nothing above it; every read ends after 20 s at the latest.
final class RawConnection {
  private let descriptor: Int32

  init(_ path: String) throws {
    descriptor = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
    guard descriptor >= 0 else { throw TestFault("socket: \(errno)") }
    let result = withAddress(path) { connect(descriptor, $0, $1) }
    guard result == 0 else {
      let code = errno
      close(descriptor)
      throw TestFault("connect: \(code)")
    }
    var limit = timeval(tv_sec: 20, tv_usec: 0)
    setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
    setsockopt(descriptor, SOL_SOCKET, SO_SNDTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
  }

  deinit { close(descriptor) }

  func send(_ text: String) { send(Array(text.utf8)) }

  /// What the other side does not take any more is dropped.
  func send(_ bytes: [UInt8]) {
    var rest = bytes[...]
    while !rest.isEmpty {
      let count = rest.withUnsafeBytes {
        Glibc.send(descriptor, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL))
      }
      guard count > 0 else { return }
      rest = rest.dropFirst(count)
    }
  }

  func finishSending() { shutdown(descriptor, Int32(SHUT_WR)) }

  /// Until the other side closes.
  func readAll() throws -> [UInt8] {
    var result: [UInt8] = []
    while let bytes = try read() { result += bytes }
    return result
  }

  /// Until `text` has come.
  func read(until text: String) throws -> String {
    var result: [UInt8] = []
    while let bytes = try read() {
      result += bytes
      let sofar = String(decoding: result, as: UTF8.self)
      if sofar.contains(text) { return sofar }
    }
    throw TestFault("closed before '\(text)' came: \(String(decoding: result, as: UTF8.self))")
  }

  private func read() throws -> [UInt8]? {
    var buffer = [UInt8](repeating: 0, count: 65_536)
    let count = recv(descriptor, &buffer, buffer.count, 0)
    if count > 0 { return Array(buffer[..<count]) }
    if count == 0 || errno == ECONNRESET { return nil }
    throw TestFault("recv: \(errno)")
  }
}

/// A unix socket that listens and that a test serves by hand.
final class RawListener: Sendable {
  private let descriptor: Int32

  init(_ path: String) throws {
    descriptor = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
    guard withAddress(path, { bind(descriptor, $0, $1) }) == 0, listen(descriptor, 8) == 0 else {
      throw TestFault("bind: \(errno)")
    }
  }

  /// A program that another test is starting has a copy of the descriptor for a moment: nobody listens by it either.
  deinit {
    shutdown(descriptor, Int32(SHUT_RDWR))
    close(descriptor)
  }

  /// Answers one client with `bytes` after its first words, and closes.
  func answerOnce(_ bytes: [UInt8]) throws {
    let client = accept(descriptor, nil, nil)
    guard client >= 0 else { throw TestFault("accept: \(errno)") }
    defer { close(client) }
    var buffer = [UInt8](repeating: 0, count: 65_536)
    _ = recv(client, &buffer, buffer.count, 0)
    _ = bytes.withUnsafeBytes { Glibc.send(client, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL)) }
  }
}

private func withAddress(_ path: String, _ body: (UnsafePointer<sockaddr>, socklen_t) -> Int32) -> Int32 {
  var address = sockaddr_un()
  address.sun_family = sa_family_t(AF_UNIX)
  withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: Array(path.utf8).prefix($0.count - 1)) }
  return withUnsafePointer(to: &address) {
    $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { body($0, socklen_t(MemoryLayout<sockaddr_un>.size)) }
  }
}
