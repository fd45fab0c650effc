import CLinux
import Glibc
import Kernel
import Testing
import Wire

/// A network namespace that stands for a host or a guest. Made fresh, gone with its last user; nothing of the machine's
/// own network is touched.
final class TestHost {
  let namespace: NetworkNamespace

  /// In a new namespace with its loopback up.
  init() throws {
    let home = try NetworkNamespace()
    try NetworkNamespace.leaveForNew()
    defer { comeHome(home) }
    namespace = try NetworkNamespace()
    try sh("ip link set lo up")
  }

  /// Runs `body` in this namespace, on the same thread, and comes back.
  @discardableResult
  func run<Result>(_ body: () throws -> Result) throws -> Result {
    let home = try NetworkNamespace()
    try namespace.enter()
    defer { comeHome(home) }
    return try body()
  }

  /// As seen by other processes, for `ip link set … netns`.
  var path: String { "/proc/\(getpid())/fd/\(namespace.descriptor)" }

  /// A pair of veths: `name` here and `peerName` there, both up.
  func connect(_ name: String, to peer: TestHost, _ peerName: String, mtu: Int = 1500) throws {
    try run {
      try sh("ip link add \(name) mtu \(mtu) type veth peer name \(peerName) mtu \(mtu) netns \(peer.path)")
      try sh("ip link set \(name) up")
    }
    try peer.run { try sh("ip link set \(peerName) up") }
  }
}

/// A thread that stays in a strange namespace would make every later test lie.
private func comeHome(_ home: borrowing NetworkNamespace) {
  guard weft_enter_network(home.descriptor) == 0 else { fatalError("cannot return to the first network namespace") }
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

/// Whether `address` answers one of three pings within a second each.
func pings(_ address: String) -> Bool {
  (try? sh("ping -c 3 -i 0.05 -W 1 \(address) | grep -q ' 0% packet loss'")) != nil
}

extension MACAddress {
  static func test(_ number: UInt64) -> MACAddress { MACAddress(0x0200_5e00_0000 | number) ?? .zero }
}

extension VNI {
  static func test(_ number: UInt32) throws -> VNI { try #require(VNI(number)) }
}

extension IPAddress {
  static func test(_ text: String) throws -> IPAddress { try #require(IPAddress(text)) }
}

/// What the bridge and the tunnel of a network look like in these tests.
enum Specs {
  static let alias = "weft:test:11111111-1111-4111-8111-111111111111"

  static func bridge(_ name: String = "weft-blue", mtu: Int = 1446) -> BridgeSpec {
    BridgeSpec(name: name, mac: .test(1), mtu: mtu, alias: alias)
  }

  static func vxlan(_ local: String, vni: UInt32 = 77, mtu: Int = 1446, bridge: String = "weft-blue") throws
    -> VXLANSpec
  {
    VXLANSpec(
      name: "wx\(vni)", mac: .test(2), vni: try .test(vni), local: try .test(local), port: 7680, mtu: mtu,
      alias: alias, bridge: bridge)
  }
}
