import Glibc

/// A network namespace with a name: a host, a guest, or the underlay between the hosts.
struct Namespace {
  let name: String

  init(_ name: String) throws {
    self.name = name
    try must(["ip", "netns", "add", name])
    try must(["ip", "-n", name, "link", "set", "lo", "up"])
  }

  /// `ip` in this namespace.
  @discardableResult
  func ip(_ words: String...) throws -> String { try must(["ip", "-n", name] + words) }

  /// Several `ip` commands by one process, so that nothing comes between them.
  func ip(batch lines: [String]) throws {
    let path = "\(TestRun.directory)/batch"
    try Files.write((lines.joined(separator: "\n") + "\n").utf8, to: path)
    try must(["ip", "-n", name, "-batch", path])
  }

  /// The words that run a command here: the network only, which is fast.
  func command(_ words: [String]) -> [String] { ["nsenter", "--net=/run/netns/\(name)", "--"] + words }

  @discardableResult
  func execute(_ words: String..., seconds: Double = 30) throws -> String {
    try must(command(words), within: seconds)
  }

  /// Why IPsec dropped packets here, as far as the kernel tells: `name count` for each reason that occurred.
  func ipsecDrops() throws -> String {
    try must(commandWithSys(["cat", "/proc/net/xfrm_stat"])).split(separator: "\n")
      .map { $0.split(whereSeparator: \.isWhitespace).joined(separator: " ") }.filter { !$0.hasSuffix(" 0") }
      .joined(separator: ", ")
  }

  /// The words that run a command here with `/sys` of this namespace too, as an agent needs it.
  func commandWithSys(_ words: [String]) -> [String] { ["ip", "netns", "exec", name] + words }

  func sysctl(_ assignments: String...) throws { try must(commandWithSys(["sysctl", "-qw"] + assignments)) }

  /// Every link that is here, by name.
  func links() throws -> [LinkView] { try JSON.decode([LinkView].self, from: try ip("-d", "-j", "link", "show")) }

  func link(_ name: String) throws -> LinkView? { try links().first { $0.ifname == name } }

  /// The FDB entries of a device.
  func fdb(_ device: String) throws -> [FDBEntry] {
    try JSON.decode([FDBEntry].self, from: try must(["bridge", "-n", name, "-j", "fdb", "show", "dev", device]))
  }

  /// Ends what runs in the namespace and removes it.
  static func remove(_ name: String) {
    for pid in (try? run(["ip", "netns", "pids", name]).output)?.split(separator: "\n") ?? [] {
      if let pid = pid_t(pid), pid > 1, pid != getpid() { kill(pid, SIGKILL) }
    }
    _ = try? run(["ip", "netns", "delete", name])
  }
}

/// A link as `ip -d -j link` shows it.
struct LinkView: Decodable, Equatable {
  var ifindex: Int
  var ifname: String
  var mtu: Int
  var master: String?
  var ifalias: String?
  var address: String?
  var flags: [String]
  var linkinfo: Info?

  struct Info: Decodable, Equatable { var infoKind: String? }

  var kind: String? { linkinfo?.infoKind }

  /// What was set, without what comes and goes by itself, as the carrier does.
  var settings: String {
    let isUp = flags.contains("UP")
    return "\(ifindex) \(ifname) \(kind ?? "-") mtu \(mtu) master \(master ?? "-") alias \(ifalias ?? "-") "
      + "address \(address ?? "-") \(isUp ? "up" : "down")"
  }
}

/// An entry as `bridge -j fdb` shows it.
struct FDBEntry: Decodable, Equatable {
  var mac: String
  var ifname: String?
  var dst: String?
  var master: String?
}
