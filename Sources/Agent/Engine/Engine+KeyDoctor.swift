import Control
import Kernel
import Registry
import Wire

// What encrypted networks stand on: the two locks, and the keys with each host.
extension Engine {
  func lockChecks() -> [API.Check] {
    guard let protection = kernel.protection else { return [] }
    var checks: [API.Check] = []
    if let sentence = kernel.openReason {
      checks.append(API.Check(name: "locks", status: .failure, message: sentence))
    } else {
      checks += [
        lockCheck(
          "IPsec policy lock", protection.locks.policies, protection,
          good: "IPsec policies keep frames of encrypted networks from leaving or entering in clear."),
        lockCheck(
          "packet filter lock", protection.locks.filter, protection,
          good: "A packet filter does so, too, whatever becomes of the policies."),
      ]
    }
    if let sentence = KernelXFRM.underlayBypass(interface: kernel.underlay.name) {
      checks.append(API.Check(name: "IPsec on the underlay", status: .failure, message: sentence))
    }
    return checks
  }

  private func lockCheck(
    _ name: String, _ failure: KernelError?, _ protection: Protection, good: String
  ) -> API.Check {
    guard let failure else { return API.Check(name: name, status: .ok, message: good) }
    guard protection.isProven(failure) else {
      return API.Check(name: name, status: .failure, message: "It could not be set; the other lock closes. \(failure)")
    }
    return API.Check(
      name: name, status: .warning,
      message: "This lock did not hold when it was tried at start; the other one closes. \(failure)")
  }

  func keyChecks(_ node: Node) -> [API.Check] {
    let isNeeded = node.registry.networks.contains { $0.encryption == .required }
    guard let own = node.registry.hostView(identity.hostID), let views = node.keyViews(of: own) else {
      guard isNeeded else { return [] }
      return [
        API.Check(
          name: "keys", status: .failure,
          message: "This host has no keys, so it carries no encrypted network. \(kernel.keysObstacle)")
      ]
    }
    return views.map { view in
      let name = "keys with \(view.host)"
      switch view.state {
      case .established:
        let counts = "\(view.packetsSent) packets sent and \(view.packetsReceived) received by the present SAs"
        if view.packetsSent > 0, view.packetsReceived == 0 {
          return API.Check(
            name: name, status: .warning,
            message:
              "They stand, but of \(view.packetsSent) packets sent none was answered: if guests of both hosts talk to each other, open \(portOfKeys(with: view, node)) between the hosts."
          )
        }
        guard view.integrityFailures + view.replayed > 0 else {
          return API.Check(name: name, status: .ok, message: "They stand in both directions; \(counts).")
        }
        return API.Check(
          name: name, status: .warning,
          message:
            "They stand; \(counts), \(view.integrityFailures) dropped as forged or damaged, \(view.replayed) as repeated: look at who else sends from that address."
        )
      case .pending:
        return API.Check(
          name: name, status: .warning,
          message:
            "They are being agreed on; if this stays, gossip does not pass both ways: see the checks of UDP and TCP.")
      case .waiting:
        return API.Check(
          name: name, status: .warning,
          message:
            "New ones wait until \(view.host) confirms those before them; traffic goes on by the older ones.")
      case .none:
        return API.Check(
          name: name, status: isNeeded ? .failure : .warning,
          message:
            "There are none, so no encrypted frame goes between the two: \(HostID(view.hostId).flatMap { node.mismatch(with: $0) } ?? "run `weft doctor` on \(view.host), which may have no way to encrypt.")"
        )
      }
    }
  }

  /// What has to pass between the hosts.
  private func portOfKeys(with view: API.HostKeys, _ node: Node) -> String {
    let isInUDP =
      kernel.choice.path == .user
      || HostID(view.hostId).map { node.capabilities(of: $0).contains(.userSpace) } ?? false
    return isInUDP ? "UDP port 7678 (ESP in UDP)" : "IP protocol 50 (ESP)"
  }
}
