import CLinux
import Glibc

/// A network namespace that stands for a host or a guest. Made fresh, gone with its last user; nothing of the machine's
/// own network is touched.
package final class Namespace: Sendable {
  private let descriptor: Int32

  /// A new one with its loopback up.
  package init() throws {
    descriptor = try Self.comingHome {
      try checked(weft_unshare_network(), "make")
      try sh("ip link set lo up")
      return try checked(weft_open_network(), "open")
    }
  }

  deinit { close(descriptor) }

  /// As seen by other processes, for `ip link set … netns`.
  package var path: String { "/proc/\(getpid())/fd/\(descriptor)" }

  /// Runs `body` in this namespace, on the same thread, and comes back.
  @discardableResult
  package func run<Result>(_ body: () throws -> Result) throws -> Result {
    try Self.comingHome {
      try checked(weft_enter_network(descriptor), "enter")
      return try body()
    }
  }

  /// A pair of veths: `name` here and `peerName` there, both up.
  package func connect(_ name: String, to peer: Namespace, _ peerName: String, mtu: Int = 1500) throws {
    try run {
      try sh("ip link add \(name) mtu \(mtu) type veth peer name \(peerName) mtu \(mtu) netns \(peer.path)")
      try sh("ip link set \(name) up")
    }
    try peer.run { try sh("ip link set \(peerName) up") }
  }

  /// A thread that stays in a strange namespace would make every later test lie.
  private static func comingHome<Result>(_ body: () throws -> Result) throws -> Result {
    let home = try checked(weft_open_network(), "open")
    defer {
      guard weft_enter_network(home) == 0 else { fatalError("cannot return to the first network namespace") }
      close(home)
    }
    return try body()
  }
}

private struct NamespaceFailure: Error, CustomStringConvertible {
  let operation: String
  let code: Int32
  var description: String {
    "cannot \(operation) a network namespace: \(String(cString: strerror(code))); run the tests as root"
  }
}

/// - Parameter result: a negated errno if it is negative.
@discardableResult
private func checked(_ result: Int32, _ operation: String) throws -> Int32 {
  guard result >= 0 else { throw NamespaceFailure(operation: operation, code: -result) }
  return result
}
