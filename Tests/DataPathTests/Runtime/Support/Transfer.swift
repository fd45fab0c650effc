import CLinux
import Glibc
import Testing
import Wire

@testable import DataPath

/// Bytes over TCP from one guest to another, compared as they come.
enum Transfer {
  private static let block = 64 << 10

  /// - Returns: how many bytes came, in order and as they were sent.
  static func run(from client: PathHost, to server: PathHost, bytes: Int, isV6: Bool = false) throws -> Int {
    let address = try #require(IPAddress(isV6 ? "2001:db8:1::\(server.number)" : "198.51.100.\(server.number)"))
    let listener = try server.guest.run { try listening(at: address) }
    defer { close(listener) }
    let port = try #require(UInt16(exactly: weft_local_port(listener)))
    let result = Result()
    let thread = try PathThread("reader") { result.bytes = read(listener) }
    defer { thread.join() }
    let sent = try client.guest.run { try write(to: address.target(port: port), bytes) }
    try #require(sent == bytes)
    thread.join()
    return result.bytes
  }

  private final class Result {
    nonisolated(unsafe) var bytes = 0
  }

  private static func pattern(_ place: Int) -> UInt8 { UInt8(truncatingIfNeeded: (place &* 0x9e37_79b1) >> 13) }

  private static func listening(at address: IPAddress) throws -> Int32 {
    let socket = socket(address.isV6 ? AF_INET6 : AF_INET, Int32(SOCK_STREAM.rawValue), 0)
    setTimeout(socket)
    let bytes = address.bytes
    try #require(weft_bind_inet(socket, bytes, UInt8(bytes.count), 0) == 0 && listen(socket, 1) == 0)
    return socket
  }

  private static func setTimeout(_ socket: Int32) {
    var limit = timeval(tv_sec: 20, tv_usec: 0)
    setsockopt(socket, SOL_SOCKET, SO_RCVTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
    setsockopt(socket, SOL_SOCKET, SO_SNDTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
  }

  private static func write(to target: weft_target, _ count: Int) throws -> Int {
    let socket = socket(target.withAddress { Int32($0.pointee.sa_family) }, Int32(SOCK_STREAM.rawValue), 0)
    defer { close(socket) }
    setTimeout(socket)
    let connected = target.withAddress { connect(socket, $0, target.length) }
    try #require(connected == 0, "no connection: \(String(cString: strerror(errno)))")
    var done = 0
    while done < count {
      let bytes = (done..<min(count, done + block)).map(pattern)
      let sent = send(socket, bytes, bytes.count, Int32(MSG_NOSIGNAL))
      guard sent > 0 else { return done }
      done += sent
    }
    return done
  }

  private static func read(_ listener: Int32) -> Int {
    let socket = accept(listener, nil, nil)
    guard socket >= 0 else { return 0 }
    defer { close(socket) }
    setTimeout(socket)
    var bytes = [UInt8](repeating: 0, count: block)
    var done = 0
    while true {
      let count = recv(socket, &bytes, bytes.count, 0)
      guard count > 0 else { return done }
      for place in 0..<count where bytes[place] != pattern(done + place) { return done + place }
      done += count
    }
  }
}

extension weft_target {
  /// For calls that take an address.
  func withAddress<Value>(_ body: (UnsafePointer<sockaddr>) -> Value) -> Value {
    withUnsafeBytes(of: address) { bytes in
      bytes.withMemoryRebound(to: sockaddr.self) { body($0.baseAddress.unsafelyUnwrapped) }
    }
  }
}
