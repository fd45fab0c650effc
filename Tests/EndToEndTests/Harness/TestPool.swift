import Glibc
import Testing

/// Hosts on one underlay, each with a real agent, and the guests that a test puts on them. Everything is in network
/// namespaces with names of this run; the machine's own network is never touched.
final class TestPool {
  let underlay: Namespace
  /// Whether the underlay is IPv6, in 2001:db8::/64, and not IPv4, in 192.0.2.0/24.
  let isV6: Bool
  private(set) var hosts: [TestHost] = []
  private(set) var guests: [Guest] = []
  private var children: [Child] = []
  private let prefix: String
  private let directory: String
  private var namespaces: [String] = []

  private nonisolated(unsafe) static var count = 0

  init(isV6: Bool = false) throws {
    self.isV6 = isV6
    _ = TestRun.sweep
    Self.count += 1
    prefix = "\(TestRun.prefix)-\(Self.count)"
    directory = "\(TestRun.directory)/\(Self.count)"
    _ = TestRun.directory
    mkdir(directory, 0o755)
    underlay = try Namespace("\(prefix)-underlay")
    namespaces.append(underlay.name)
    for bridge in ["br0", "br1"] {
      try underlay.ip(
        "link", "add", bridge, "type", "bridge", "stp_state", "0", "forward_delay", "0", "mcast_snooping", "0")
      try underlay.ip("link", "set", bridge, "up")
    }
  }

  subscript(_ number: Int) -> TestHost { hosts[number - 1] }

  // MARK: Hosts

  /// One more host with its link to the underlay; its agent does not run yet.
  @discardableResult
  func addHost() throws -> TestHost {
    let number = hosts.count + 1
    let name = "\(prefix)-host\(number)"
    let host = try TestHost(
      number: number, namespace: try Namespace(name), address: address(number),
      directory: "\(directory)/host\(number)")
    namespaces.append(name)
    hosts.append(host)
    try connect(host)
    return host
  }

  /// An address of the underlay; those of the hosts begin with 1.
  func address(_ number: Int) -> String { isV6 ? "2001:db8::\(String(number, radix: 16))" : "192.0.2.\(number)" }

  /// An address of the underlay as `ip address` takes it.
  func addressWords(_ address: String) -> String { isV6 ? "\(address)/64 dev eth0 nodad" : "\(address)/24 dev eth0" }

  /// Gives the host another underlay address as an admin would. The old one goes first: with it an IPv4 network would take
  /// the addresses along that were added to it later.
  func renumber(_ host: TestHost, to address: String) throws {
    try host.namespace.ip(batch: [
      "address delete \(addressWords(host.address).replacing(" nodad", with: ""))",
      "address add \(addressWords(address))",
    ])
    host.address = address
  }

  private func connect(_ host: TestHost) throws {
    try must(
      ["ip", "link", "add", "eth0", "netns", host.namespace.name, "type", "veth", "peer", "name", host.underlayPort]
        + ["netns", underlay.name])
    try underlay.ip("link", "set", host.underlayPort, "master", "br0", "up")
    try host.namespace.ip(batch: ["address add \(addressWords(host.address))"])
    try host.namespace.ip("link", "set", "eth0", "up")
  }

  /// The machine is gone and comes back as after a power cut: nothing of its kernel's state is left, its disk is.
  func reboot(_ host: TestHost) throws {
    host.crashAgent()
    try underlay.ip("link", "delete", host.underlayPort)
    Namespace.remove(host.namespace.name)
    for guest in guests { guest.lost(host) }
    _ = try Namespace(host.namespace.name)
    try connect(host)
  }

  /// Starts `count` hosts, makes the pool on the first and joins the others.
  func form(_ count: Int) throws {
    for _ in 0..<count { try addHost() }
    for host in hosts { try host.start() }
    try hosts[0].weft("pool", "init", "--name", "lab")
    for host in hosts.dropFirst() { try join(host, through: hosts[0]) }
    try settle()
  }

  func join(_ host: TestHost, through other: TestHost) throws {
    try host.weft("pool", "join", other.address, "--token", try other.invite())
  }

  /// Waits until every host whose agent is meant to run sees exactly these hosts alive.
  func settle(within seconds: Double = 20) throws {
    let running = hosts.filter(\.isMeantToRun)
    let names = running.map(\.name).sorted()
    for host in running {
      try eventually(within: seconds, "\(host.name) sees \(names.joined(separator: ", ")) alive") {
        try host.hosts().filter { $0.state == "alive" }.map(\.name).sorted() == names
      }
    }
  }

  /// A network that stands on every host, for scenarios that are not about encryption: in clear in the kernel, or
  /// encrypted in user space.
  @discardableResult
  func network(_ name: String, on host: TestHost? = nil) throws -> NetworkView {
    let host = host ?? hosts[0]
    switch TestRun.path {
    case .kernel: try host.weft("network", "create", name, "--encryption", "off")
    case .user: try host.weft("network", "create", name)
    }
    return try host.network(name)
  }

  /// A network with encryption, which is the default, that stands on every host.
  @discardableResult
  func encryptedNetwork(_ name: String, _ encapsulation: Carriage.Encapsulation) throws -> NetworkView {
    try hosts[0].weft("network", "create", name, "--encap", encapsulation.rawValue)
    let network = try hosts[0].network(name)
    guard network.encryption == "required", network.encap == encapsulation.rawValue, network.state == "ok" else {
      throw Failure("this is not the network that was asked for: \(network)")
    }
    return network
  }

  // MARK: Guests

  /// A guest without any VIF yet.
  func bareGuest(mac: String? = nil) throws -> Guest {
    let number = guests.count + 1
    let name = "\(prefix)-vm\(number)"
    let guest = try Guest(number: number, namespace: try Namespace(name), mac: mac)
    namespaces.append(name)
    guests.append(guest)
    return guest
  }

  /// A guest that runs on `host` with one VIF in `network` and has told the segment its address.
  func guest(on host: TestHost, _ network: NetworkView, mac: String? = nil) throws -> Guest {
    let guest = try bareGuest(mac: mac)
    let vif = try guest.plug(into: host, network)
    try guest.connect(vif)
    try guest.announce()
    return guest
  }

  /// Waits until every running host shows the MAC live on `owner` behind `vif`, and every kernel agrees.
  func expect(_ mac: String, in network: NetworkView, on owner: TestHost, vif: VIF? = nil, within seconds: Double = 5)
    throws
  {
    for host in hosts where host.isMeantToRun {
      try eventually(within: seconds, "\(host.name) shows \(mac) live on \(owner.name)") {
        guard let binding = try host.binding(mac, in: network.name) else { return false }
        let remote = try host.remote(mac, in: network.name)
        return binding.host == owner.name && binding.state == "live" && (vif == nil || binding.vif == vif?.name)
          && remote == (host === owner ? nil : owner.address)
      }
    }
  }

  // MARK: The underlay

  /// Takes hosts off the underlay; they still reach each other.
  func cut(_ hosts: TestHost...) throws {
    for host in hosts { try underlay.ip("link", "set", host.underlayPort, "master", "br1") }
  }

  func heal(_ hosts: TestHost...) throws {
    for host in hosts { try underlay.ip("link", "set", host.underlayPort, "master", "br0") }
  }

  /// What `host` sends is lost on the way; what is sent to it arrives.
  func silence(_ host: TestHost) throws { try drop("iifname \"\(host.underlayPort)\"") }

  /// What `host` gossips to `other` is lost on the way; all else arrives, TCP and the frames of guests too.
  func loseGossip(from host: TestHost, to other: TestHost) throws {
    try drop("iifname \"\(host.underlayPort)\" oifname \"\(other.underlayPort)\" udp dport 7677")
  }

  private func drop(_ what: String) throws {
    let rules = """
      table bridge cut {
        chain forward {
          type filter hook forward priority 0;
          \(what) drop
        }
      }
      """
    let path = "\(directory)/cut.nft"
    try Files.write(rules.utf8, to: path)
    try underlay.execute("nft", "-f", path)
  }

  func endSilence() throws { try underlay.execute("nft", "delete", "table", "bridge", "cut") }

  // MARK: Other processes, and the end

  /// A process in a namespace that ends with the test.
  func start(_ words: [String], in namespace: Namespace, name: String) throws -> Child {
    let base = "\(directory)/\(name)-\(children.count)"
    let child = try Child(namespace.command(words), output: base + ".out", errors: base + ".err")
    children.append(child)
    return child
  }

  /// An agent that waits for its underlay, when it has said so in a line with these words.
  func startWaiting(_ host: TestHost, underlay: String, for words: String) throws -> Child {
    let child = try start(host.agentCommand(underlay: underlay), in: host.namespace, name: "waiting")
    try eventually("weftd says that it waits: \(words)") {
      Files.text(child.errors).split(separator: "\n").contains {
        $0.contains(words) && $0.hasSuffix("weftd waits for its underlay.")
      }
    }
    return child
  }

  /// A path for a file of this test.
  func path(_ name: String) -> String { "\(directory)/\(name)" }

  /// Stops everything. An agent that ended by itself during the test is a failure of the test.
  func tearDown() {
    for host in hosts where host.isMeantToRun && host.agent?.isRunning != true {
      Issue.record("the agent of \(host.name) ended by itself with \(host.agent?.status ?? -1)")
      printLog(of: host)
    }
    for child in children + hosts.compactMap(\.agent) { child.signal(SIGKILL) }
    for child in children + hosts.compactMap(\.agent) { child.wait(within: 5) }
    for guest in guests { guest.close() }
    for name in namespaces { Namespace.remove(name) }
    _ = try? run(["rm", "-rf", directory])
  }

  func printLogs() {
    for host in hosts { printLog(of: host) }
  }

  private func printLog(of host: TestHost) {
    let lines = Files.text(host.log).split(separator: "\n").suffix(40)
    print("--- the last \(lines.count) lines of the agent of \(host.name)")
    for line in lines { print("    \(line)") }
    guard host.agent?.isRunning == true else { return }
    for words in [["pool", "status"], ["host", "list"], ["network", "list"], ["mac", "list"]] {
      guard let answer = try? host.attempt(words, within: 5) else { continue }
      print("--- weft \(words.joined(separator: " ")) on \(host.name)")
      for line in (answer.output + answer.errors).split(separator: "\n") { print("    \(line)") }
    }
    guard let ports = try? run(["bridge", "-n", host.namespace.name, "link"]).output else { return }
    print("--- the bridge ports of \(host.name)")
    for line in ports.split(separator: "\n") { print("    \(line)") }
  }
}

/// Runs a scenario on a pool of `hosts` that has formed; shows the agents' logs if it fails, and takes all down.
func withPool(_ hosts: Int, isV6: Bool = false, _ scenario: (TestPool) throws -> Void) throws {
  let pool = try TestPool(isV6: isV6)
  defer { pool.tearDown() }
  do {
    try pool.form(hosts)
    try scenario(pool)
  } catch {
    pool.printLogs()
    throw error
  }
}

/// Runs a scenario on `hosts` whose agents do not run yet.
func withHosts(_ hosts: Int, isV6: Bool = false, _ scenario: (TestPool) throws -> Void) throws {
  let pool = try TestPool(isV6: isV6)
  defer { pool.tearDown() }
  do {
    for _ in 0..<hosts { try pool.addHost() }
    try scenario(pool)
  } catch {
    pool.printLogs()
    throw error
  }
}
