import Glibc
import Testing

/// A host of the pool: a namespace with an address on the underlay, and a real agent in it.
final class TestHost {
  let number: Int
  let name: String
  let namespace: Namespace
  /// Its underlay address, which a test may change.
  var address: String
  /// What its agent gets as `--underlay` if not the address.
  var underlayFlag: String?
  /// What carries its encrypted networks.
  var path = TestRun.path
  /// How many queues its packet path in user space has: another number on each host, so that all kinds meet.
  private var queues: Int { 1 + number % 3 }
  /// More words for its agent.
  var moreFlags: [String] = []
  /// What starts its agent, if not the harness itself: a command that takes another one at its end.
  var launcher: [String] = []
  let directory: String
  private(set) var agent: Child?
  /// How long its agent was away the last time: from the order to end until the next one answered, in seconds.
  private(set) var away = 0.0
  private var ended: Double?
  /// The agent is meant to run: that it does is checked when the test ends.
  private(set) var isMeantToRun = false

  var stateDirectory: String { directory + "/state" }
  var socket: String { directory + "/weft.sock" }
  var log: String { directory + "/weftd.log" }
  /// The end of its underlay link inside the underlay's namespace.
  var underlayPort: String { "host\(number)" }

  init(number: Int, namespace: Namespace, address: String, directory: String) throws {
    self.number = number
    name = "host\(number)"
    self.namespace = namespace
    self.address = address
    self.directory = directory
    mkdir(directory, 0o755)
  }

  /// Its underlay address in network order.
  func addressBytes() throws -> [UInt8] {
    let isV6 = address.contains(":")
    var bytes = [UInt8](repeating: 0, count: isV6 ? 16 : 4)
    guard inet_pton(isV6 ? AF_INET6 : AF_INET, address, &bytes) == 1 else { throw Failure("\(address) is no address") }
    return bytes
  }

  // MARK: The agent

  /// The agent's words, with what a test wants different.
  func agentCommand(
    stateDirectory: String? = nil, socket: String? = nil, underlay: String? = nil, more: [String] = []
  ) -> [String] {
    [TestRun.weftd, "--state-dir", stateDirectory ?? self.stateDirectory, "--socket", socket ?? self.socket]
      + ["--name", name, "--underlay", underlay ?? underlayFlag ?? address, "--dataplane", path.rawValue]
      + (path == .user ? ["--queues", "\(queues)"] : [])
      + moreFlags + more
  }

  /// Starts the agent and returns when it answers.
  func start(within seconds: Double = 20) throws {
    let child = try Child(namespace.commandWithSys(launcher + agentCommand()), output: log, errors: log)
    agent = child
    isMeantToRun = true
    try eventually(within: seconds, "the agent of \(name) answers") {
      guard child.isRunning else { throw Failure("weftd ended with \(child.status ?? -1)") }
      return try attempt("pool", "status").status == 0
    }
    if let ended { away = Clock.now - ended }
    ended = nil
  }

  /// kill -9.
  func crashAgent() {
    isMeantToRun = false
    ended = Clock.now
    agent?.signal(SIGKILL)
    agent?.wait(within: 10)
  }

  /// SIGTERM, and it has to end cleanly.
  func stopAgent() throws {
    isMeantToRun = false
    ended = Clock.now
    agent?.signal(SIGTERM)
    let status = agent?.wait(within: 15)
    guard status == 0 else {
      throw Failure("the agent of \(name) ended with \(status.map(String.init) ?? "kill -9") after SIGTERM")
    }
  }

  /// Runs an agent that is meant to refuse to start, and gives its last line.
  func refusal(_ command: [String], within seconds: Double = 15) throws -> String {
    let answer = try run(namespace.commandWithSys(command), within: seconds)
    guard answer.status != 0, answer.status < 128 else {
      throw Failure("expected weftd to refuse with a sentence: \(answer.said)")
    }
    guard let line = answer.errors.split(separator: "\n").last else {
      throw Failure("weftd refused without a word: \(answer.said)")
    }
    return String(line)
  }

  // MARK: The command line

  /// `weft` on this host, whatever it answers.
  func attempt(_ words: [String], within seconds: Double = 70) throws -> Answer {
    try run([TestRun.weft, "--socket", socket] + Self.patience + words, within: seconds)
  }

  /// The command line's own limit is longer where everything is slower.
  private static let patience = TestRun.patience > 1 ? ["--timeout", "\(Int(60 * TestRun.patience))"] : []

  func attempt(_ words: String...) throws -> Answer { try attempt(words) }

  /// `weft` on this host, which has to succeed.
  @discardableResult
  func weft(_ words: String...) throws -> String {
    let answer = try attempt(words)
    guard answer.status == 0 else {
      throw Failure("weft \(words.joined(separator: " ")) on \(name): \(answer.said)")
    }
    return answer.output
  }

  func hosts() throws -> [HostView] { try JSON.decode([HostView].self, from: weft("host", "list", "--json")) }

  func host(_ name: String) throws -> HostView? { try hosts().first { $0.name == name } }

  func networks() throws -> [NetworkView] {
    try JSON.decode([NetworkView].self, from: weft("network", "list", "--json"))
  }

  func network(_ name: String) throws -> NetworkView {
    guard let view = try networks().first(where: { $0.name == name }) else {
      throw Failure("\(self.name) knows no network \(name)")
    }
    return view
  }

  func bindings(_ network: String? = nil) throws -> [BindingView] {
    let filter = network.map { ["--network", $0] } ?? []
    let answer = try attempt(["mac", "list", "--json"] + filter)
    guard answer.status == 0 else { throw Failure("weft mac list on \(name): \(answer.said)") }
    return try JSON.decode([BindingView].self, from: answer.output)
  }

  func binding(_ mac: String, in network: String) throws -> BindingView? {
    try bindings(network).first { $0.mac == mac }
  }

  /// A token for `uses` hosts.
  func invite(_ words: String...) throws -> String {
    let answer = try attempt(["pool", "invite"] + words)
    guard answer.status == 0 else { throw Failure("weft pool invite: \(answer.said)") }
    let lines = answer.output.split(separator: "\n")
    guard lines.count == 1 else { throw Failure("a token stands alone on stdout, found: \(answer.output)") }
    return String(lines[0])
  }

  // MARK: The kernel

  /// What carries a network here.
  func path(of network: NetworkView) -> PacketPath { network.encryption == "required" ? path : .kernel }

  /// The device that carries a network to all hosts: of VXLAN in the kernel, or the TAP.
  func device(of network: NetworkView) -> String {
    switch path(of: network) {
    case .kernel: "wx\(network.vni)"
    case .user: "wt\(network.vni)"
    }
  }

  /// Where the packet path in user space sends the frames of a network.
  private func forwarding(_ network: NetworkView) throws -> NetworkView.Forwarding {
    let view = try JSON.decode(NetworkView.self, from: weft("network", "show", network.name, "--json"))
    guard let forwarding = view.forwarding, forwarding.path == "user" else {
      throw Failure("\(name) does not carry \(network.name) in user space: \(view)")
    }
    return forwarding
  }

  /// The underlay addresses to which a network's frames are flooded, sorted.
  func floodList(_ network: String) throws -> [String] {
    let network = try self.network(network)
    if path(of: network) == .user { return try forwarding(network).flood.sorted() }
    if network.encap == "gre" { return try greTunnels(network).filter(\.floods).map(\.remote).sorted() }
    return try namespace.fdb(device(of: network))
      .filter { $0.mac == "00:00:00:00:00:00" }.compactMap(\.dst).sorted()
  }

  /// Where frames for a MAC are sent: an underlay address, or nil.
  func remote(_ mac: String, in network: String) throws -> String? {
    let network = try self.network(network)
    if path(of: network) == .user {
      guard let entry = try forwarding(network).entries.first(where: { $0.mac == mac }) else { return nil }
      // Frames come to the packet path only through the TAP.
      let isBehindTAP = try namespace.fdb(device(of: network)).contains {
        $0.mac == mac && $0.master == network.bridge
      }
      return isBehindTAP ? entry.address : nil
    }
    guard network.encap == "gre" else {
      return try namespace.fdb(device(of: network)).first { $0.mac == mac && $0.dst != nil }?.dst
    }
    for tunnel in try greTunnels(network)
    where try namespace.fdb(tunnel.name).contains(where: { $0.mac == mac && $0.master == network.bridge }) {
      return tunnel.remote
    }
    return nil
  }

  /// The gretap devices in a network's bridge.
  private func greTunnels(_ network: NetworkView) throws -> [(name: String, remote: String, floods: Bool)] {
    let words = try must(["ip", "-n", namespace.name, "-d", "-o", "link", "show", "master", network.bridge])
    return words.split(separator: "\n").compactMap { line in
      let words = line.split(separator: " ").map(String.init)
      guard words.contains("gretap") || words.contains("ip6gretap"), words.count > 1,
        let index = words.firstIndex(of: "remote"), words.indices.contains(index + 1)
      else { return nil }
      let name = words[1].prefix { $0 != "@" && $0 != ":" }
      return (String(name), words[index + 1], line.contains(" bcast_flood on"))
    }
  }
}
