import CLinux
import Glibc

/// A fresh network namespace that stands for a host or a guest, gone with its last user.
final class Namespace: Sendable {
  let descriptor: Int32

  init() throws {
    let home = weft_open_network()
    guard home >= 0, weft_unshare_network() == 0 else { throw ShellFailure(command: "unshare", code: errno, said: "") }
    defer { comeHome(home) }
    descriptor = weft_open_network()
    try sh("ip link set lo up")
    // Silence of its own, so that only what a test sends is seen.
    try sh("echo 0 > /proc/sys/net/ipv6/conf/default/accept_dad")
    try sh("echo 0 > /proc/sys/net/ipv6/conf/default/router_solicitations")
  }

  deinit { close(descriptor) }

  /// Runs `body` in this namespace, on the same thread, and comes back.
  @discardableResult
  func run<Result>(_ body: () throws -> Result) throws -> Result {
    let home = weft_open_network()
    guard home >= 0, weft_enter_network(descriptor) == 0 else {
      throw ShellFailure(command: "setns", code: errno, said: "")
    }
    defer { comeHome(home) }
    return try body()
  }

  /// A pair of veths: `name` here and `peerName` there, both up.
  func connect(_ name: String, to peer: Namespace, _ peerName: String, mtu: Int = 1500) throws {
    let path = "/proc/\(getpid())/fd/\(peer.descriptor)"
    try run {
      try sh("ip link add \(name) mtu \(mtu) type veth peer name \(peerName) mtu \(mtu) netns \(path)")
      try sh("ip link set \(name) up")
    }
    try peer.run { try sh("ip link set \(peerName) up") }
  }
}

/// A thread that stays in a strange namespace would make every later test lie.
private func comeHome(_ home: Int32) {
  guard weft_enter_network(home) == 0 else { fatalError("cannot return to the first network namespace") }
  close(home)
}

struct ShellFailure: Error, CustomStringConvertible {
  let command: String
  let code: Int32
  let said: String
  var description: String { "'\(command)' ended with \(code): \(said)" }
}

/// Runs a command line in the calling thread's namespace; returns what it said.
@discardableResult
func sh(_ command: String) throws -> String {
  let words: [String] = ["sh", "-c", command]
  let strings = words.map { strdup($0) }
  defer { for string in strings { free(string) } }
  var pointers: [UnsafePointer<CChar>?] = strings.map { $0.map { UnsafePointer($0) } }
  pointers.append(nil)
  var said = [CChar](repeating: 0, count: 1 << 16)
  let code = weft_run(&pointers, "", 0, &said, said.count)
  let text = String(decoding: said.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self)
  guard code == 0 else { throw ShellFailure(command: command, code: code, said: text) }
  return text
}

/// Whether `condition` holds within some seconds; looked at often.
func eventually(seconds: Int = 10, _ condition: () throws -> Bool) rethrows -> Bool {
  for _ in 0..<seconds * 500 {
    if try condition() { return true }
    usleep(2000)
  }
  return try condition()
}
