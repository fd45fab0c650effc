import Glibc
import Kernel
import Namespaces
import Testing
import Wire

@Suite struct IsolationTests {
  /// A guest that knows the bridge's MAC and an address of the host, and tries.
  private func guestReachesHost(_ prepare: (TestPool.Member) throws -> Void) throws -> Bool {
    let pool = try TestPool(1)
    let member = pool.members[0]
    try member.host.run {
      try prepare(member)
      // The way back exists: without isolation the host would answer.
      try sh("ip addr add 203.0.113.1/32 dev lo && ip route add 198.51.100.0/24 dev weft-blue")
    }
    return try member.guest.run {
      try sh("ip route add default dev eth0")
      try sh("ip neigh add 203.0.113.1 lladdr \(MACAddress.test(1)) dev eth0 nud permanent")
      return pings("203.0.113.1")
    }
  }

  private static let openSettings =
    "echo 0 > /proc/sys/net/ipv4/conf/weft-blue/rp_filter; echo 0 > /proc/sys/net/ipv4/conf/all/rp_filter"

  @Test func aGuestCannotReachTheHostThroughItsBridge() throws {
    #expect(try guestReachesHost { _ in } == false)
  }

  @Test func theFilterAloneKeepsAGuestFromTheHost() throws {
    #expect(try guestReachesHost { _ in try sh(Self.openSettings) } == false)
  }

  @Test(arguments: [true, false])
  func theSettingsAloneKeepAGuestFromTheHost(keepSettings: Bool) throws {
    let pool = try TestPool(1)
    let member = pool.members[0]
    try member.host.run {
      try sh("tc qdisc del dev weft-blue ingress && ip addr add 203.0.113.1/32 dev lo")
      if !keepSettings { try sh(Self.openSettings) }
    }
    try member.guest.run {
      try sh("ip route add default dev eth0")
      try sh("ip neigh add 203.0.113.1 lladdr \(MACAddress.test(1)) dev eth0 nud permanent")
      #expect(pings("203.0.113.1") == false, "there is no way back")
    }
    // What counts is whether the host took the packets in.
    let echoes = try member.host.run { try sh("awk '/^Icmp:/ { print $10 }' /proc/net/snmp | tail -1") }
    #expect((echoes == "0\n") == keepSettings, "\(echoes) echo requests came in")
  }

  @Test func withoutBothTheSameGuestDoesReachTheHostSoTheseTestsCanFail() throws {
    #expect(
      try guestReachesHost { _ in
        try sh(Self.openSettings)
        try sh("tc qdisc del dev weft-blue ingress")
      })
  }

  @Test func theHostAnswersNoARPRequestFromAGuest() throws {
    let pool = try TestPool(1)
    try pool.members[0].host.run { try sh("ip addr add 198.51.100.250/32 dev lo") }
    try pool.members[0].guest.run { #expect(pings("198.51.100.250") == false) }
  }

  @Test func bridgedFramesPassAFirewallThatTheHostAppliesToConnections() throws {
    let pool = try TestPool(1)
    let member = pool.members[0]
    let other = try Namespace()
    try member.host.connect("vif9.0", to: other, "eth0")
    try other.run { try sh("ip addr add 198.51.100.9/24 dev eth0") }
    let isTried = try member.host.run {
      try sh("ip link set vif9.0 master weft-blue")
      guard (try? sh("echo 1 > /proc/sys/net/bridge/bridge-nf-call-iptables")) != nil else { return false }
      // A firewall that drops every connection that it knows of.
      try sh("nft add table ip strict && nft 'add chain ip strict f { type filter hook forward priority 0; }'")
      return (try? sh("nft add rule ip strict f ct state new,established,related drop")) != nil
    }
    guard isTried else {
      print("No br_netfilter or no connection tracking on this kernel: the exemption of bridges is not tried here.")
      return
    }
    #expect(try member.host.run { BridgeNetfilter.current().isActive })
    #expect(try other.run { pings(member.guestAddress) } == false)
    try member.host.run {
      #expect(BridgeNetfilter.exempt(bridges: ["weft-blue"]).isEmpty)
      #expect(BridgeNetfilter.exempt(bridges: ["weft-blue"], onlyMissing: true).isEmpty)
    }
    #expect(try other.run { pings(member.guestAddress) })
    try member.host.run {
      #expect(BridgeNetfilter.exempt(bridges: [], gone: ["weft-blue"]).isEmpty)
      #expect((try? sh("nft list table inet weft")) == nil)
      let strict = try sh("nft list table ip strict")
      #expect(strict.contains("drop"), "the tables of others are as they were")
    }
  }

  @Test func theFilterWorksWhereTheHostAppliesItsFirewallToBridges() throws {
    #expect(
      try guestReachesHost { _ in
        try sh(Self.openSettings)
        _ = try? sh("echo 1 > /proc/sys/net/bridge/bridge-nf-call-iptables")
      } == false)
  }

  @Test func whatThisKernelCanDoIsFoundByTrying() {
    let abilities = KernelAbilities.probe()
    #expect(abilities.trial == nil)
    #expect(abilities.vxlan == nil, "\(abilities.vxlan?.description ?? "")")
    for (name, failure) in [
      ("gretap", abilities.gretap), ("ESP", abilities.esp), ("input filter", abilities.inputFilter),
    ] {
      print("\(name): \(failure?.description ?? "yes")")
    }
    // Whatever it cannot do, it says with an errno.
    for failure in [abilities.gretap, abilities.esp] where failure != nil { #expect(failure?.code != nil) }
  }
}
