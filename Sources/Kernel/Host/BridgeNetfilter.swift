import Synchronization

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

  /// Two at a time would undo each other's work.
  private static let turn = Mutex(())
  private static let iptables = ["iptables", "ip6tables"]

  /// Exempts what our bridges forward from connection tracking and from the host's rules. An accept in a table of ours
  /// does not overrule a drop in another's, so where `iptables` is installed an accept goes to the head of its FORWARD
  /// chain too, marked as ours by its comment. What drops in a third table of nftables is for the admin to exempt. Each
  /// of `nft`, `iptables` and `ip6tables` is tried, whatever becomes of the others.
  ///
  /// Runs host programs, about 10 ms each: not for a thread that others wait for. Call it when `isActive`.
  ///
  /// - Parameters:
  ///   - bridges: every bridge of ours; if it is empty everything of ours is taken away.
  ///   - gone: bridges whose rules were made before and are not wanted any more.
  ///   - onlyMissing: the rules were made before: they are looked at, and made again if someone flushed them.
  /// - Returns: what failed; empty if all that this host has was done.
  package static func exempt(bridges: [String], gone: [String] = [], onlyMissing: Bool = false) -> [KernelError] {
    turn.withLock { _ in
      let names = bridges.filter(KernelNetwork.isInterfaceName).sorted()
      let old = gone.filter(KernelNetwork.isInterfaceName).sorted()
      var failures: [KernelError] = []
      let programs = iptables.filter(Command.exists)
      if Command.exists("nft") {
        if !onlyMissing || names.isEmpty || !succeeds(["nft", "list", "chain", "inet", table, "forwarded"]) {
          collect(&failures) { () throws(KernelError) in try Command.run(["nft", "-f", "-"], input: script(names)) }
        }
      } else if programs.isEmpty, !names.isEmpty {
        failures.append(.program(name: "nft", said: "neither nft nor iptables is on PATH"))
      }
      for program in programs {
        for name in old { withdraw(program, bridge: name) }
        // A firewall that is loaded anew flushes all rules of a chain together: the first one speaks for the others.
        if onlyMissing, let first = names.first, succeeds([program, "-w", "-C"] + rule(first)) { continue }
        for name in names {
          let failed = collect(&failures) { () throws(KernelError) in try insertAccept(program, bridge: name) }
          if failed { break }
        }
      }
      return failures
    }
  }

  /// To name a table, delete it and make it again is one transaction: there is no moment without the rules.
  private static func script(_ names: [String]) -> String {
    let start = "table inet \(table) {}\ndelete table inet \(table)\n"
    if names.isEmpty { return start }
    let set = names.map { "\"\($0)\"" }.joined(separator: ", ")
    return start + """
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

  private static func insertAccept(_ program: String, bridge: String) throws(KernelError) {
    if succeeds([program, "-w", "-C"] + rule(bridge)) { return }
    try Command.run([program, "-w", "-I"] + rule(bridge))
  }

  /// Someone may have put our rule there more than once.
  private static func withdraw(_ program: String, bridge: String) {
    for _ in 0..<8 where !succeeds([program, "-w", "-D"] + rule(bridge)) { return }
  }

  private static func rule(_ bridge: String) -> [String] {
    ["FORWARD", "-i", bridge, "-o", bridge, "-m", "comment", "--comment", table, "-j", "ACCEPT"]
  }

  private static func succeeds(_ arguments: [String]) -> Bool { (try? Command.run(arguments)) != nil }

  /// - Returns: whether it failed.
  @discardableResult
  private static func collect(_ failures: inout [KernelError], _ body: () throws(KernelError) -> Void) -> Bool {
    do throws(KernelError) {
      try body()
      return false
    } catch {
      failures.append(error)
      return true
    }
  }
}
