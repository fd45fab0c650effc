/// `br_netfilter`: where it is loaded and on, every frame that a bridge forwards passes the host's firewall and its
/// connection tracking, so a rule made for the host can stop guests. A bridge cannot opt out of it.
package struct BridgeNetfilter: Hashable, Sendable {
  package var ipv4: Bool
  package var ipv6: Bool
  package var arp: Bool

  package var isActive: Bool { ipv4 || ipv6 || arp }

  /// As it is in the calling thread's network namespace.
  package static func current() -> BridgeNetfilter {
    func isOn(_ name: String) -> Bool { KernelSettings.read("bridge/bridge-nf-call-\(name)") == "1" }
    return BridgeNetfilter(ipv4: isOn("iptables"), ipv6: isOn("ip6tables"), arp: isOn("arptables"))
  }

  /// The name of our nftables table; it is replaced as a whole, and nothing else is touched.
  package static let table = "weft"

  /// Exempts what our bridges forward from connection tracking and from the host's rules. An accept in a table of ours
  /// does not overrule a drop in another's, so where `iptables` is installed an accept goes to the head of its FORWARD
  /// chain too, marked as ours by its comment. What drops in a third table of nftables is for the admin to exempt.
  ///
  /// Call it when `isActive`, with every bridge of ours; an empty list removes the table. Runs `nft` (about 10 ms).
  package static func exempt(bridges: [String]) throws(KernelError) {
    let names = bridges.filter(KernelNetwork.isInterfaceName).sorted()
    // To name a table, delete it and make it again is one transaction: there is no moment without the rules.
    var script = "table inet \(table) {}\ndelete table inet \(table)\n"
    if !names.isEmpty {
      let set = names.map { "\"\($0)\"" }.joined(separator: ", ")
      script += """
        table inet \(table) {
          chain untracked {
            type filter hook prerouting priority -300; policy accept;
            iifname { \(set) } notrack
          }
          chain forwarded {
            type filter hook forward priority -1; policy accept;
            iifname { \(set) } oifname { \(set) } accept
          }
        }

        """
    }
    try Command.run(["nft", "-f", "-"], input: script)
    for command in ["iptables", "ip6tables"] where Command.exists(command) {
      for name in names { try insertAccept(command, bridge: name) }
    }
  }

  /// Takes back what `exempt` put into FORWARD for a bridge that is gone.
  package static func withdraw(bridge: String) throws(KernelError) {
    guard KernelNetwork.isInterfaceName(bridge) else { return }
    for command in ["iptables", "ip6tables"] where Command.exists(command) {
      while (try? Command.run([command, "-w", "-D"] + rule(bridge))) != nil {}
    }
  }

  private static func insertAccept(_ command: String, bridge: String) throws(KernelError) {
    if (try? Command.run([command, "-w", "-C"] + rule(bridge))) != nil { return }
    try Command.run([command, "-w", "-I"] + rule(bridge))
  }

  private static func rule(_ bridge: String) -> [String] {
    ["FORWARD", "-i", bridge, "-o", bridge, "-m", "comment", "--comment", table, "-j", "ACCEPT"]
  }
}
