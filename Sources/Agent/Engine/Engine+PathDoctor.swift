import Control
import DataPath
import Kernel
import Overlay
import Registry
import Wire

// Which packet path carries encrypted networks, and how it fares.
extension Engine {
  func packetPathChecks() -> [API.Check] {
    [choiceCheck(), espInUDPCheck(), leftProtectionCheck()].compactMap { $0 }
      + (kernel.userPath.map { userPathChecks($0) } ?? [])
  }

  /// At start.
  func tellChoice() {
    log.info("packet path: \(kernel.choice.path?.rawValue ?? "none"). \(kernel.choice.reason)")
    if let event = kernel.choice.event { tell(event) }
  }

  /// What an earlier run left to close tunnels of the kernel and that is still there.
  private func leftProtectionCheck() -> API.Check? {
    guard let complaint = kernel.leftProtection?.complaint else { return nil }
    return API.Check(name: "locks of an earlier run", status: .warning, message: complaint)
  }

  private func choiceCheck() -> API.Check {
    let (path, sentence) = (kernel.choice.path, kernel.choice.sentence)
    return API.Check(
      name: "packet path", status: path == nil ? .warning : .ok,
      message: path == .user ? sentence + kernelCould : sentence)
  }

  /// What a host that goes on in user space is told of its kernel; empty if there is nothing to tell.
  private var kernelCould: String {
    guard kernel.choice.goesOn, let found = kernel.kernelAbilities else { return "" }
    let lacks = found.obstacles(isV6: kernel.underlay.address.isV6).filter(\.key.isProtected)
    guard lacks.isEmpty else { return " The kernel cannot carry all of them." }
    return " The kernel could carry them, too: it does so after a start with --dataplane kernel, or after a reboot."
  }

  /// Only hosts that encrypt in the kernel speak both forms.
  private func espInUDPCheck() -> API.Check? {
    guard kernel.choice.path == .kernel else { return nil }
    let name = "ESP in UDP"
    guard let listener = kernel.espInUDP else {
      let error = kernel.kernelAbilities?.protection(isV6: kernel.underlay.address.isV6).espInUDP
      return API.Check(
        name: name, status: .warning,
        message:
          "The kernel cannot take ESP in UDP, so there are no keys with hosts that carry encrypted networks in user space."
          + (error.map { " \($0)" } ?? ""))
    }
    guard let failure = listener.failure else {
      return API.Check(
        name: name, status: .ok, message: "The kernel takes ESP in UDP from hosts that encrypt in user space.")
    }
    return API.Check(
      name: name, status: .failure,
      message: "Nothing comes from hosts that carry encrypted networks in user space. \(failure)")
  }

  private func userPathChecks(_ userPath: UserPath) -> [API.Check] {
    let counters = userPath.path.counters()
    var checks: [API.Check] = []
    if let failure = userPath.bindComplaint {
      checks.append(
        API.Check(
          name: "packet path socket", status: .failure,
          message: "Packets of encrypted networks neither leave nor come. \(failure)"))
    }
    checks.append(
      API.Check(
        name: "packet path threads", status: .ok,
        message: Self.threadsSentences(
          queues: userPath.path.settings.queues, provider: counters.provider, reason: AEADChoice.best.reason)))
    checks.append(
      API.Check(
        name: "packet path networks", status: .ok, message: Self.networksSentence(userPath.path.openNetworks)))
    if counters.socketOverflows > 0 {
      let lately = kernel.drops.overflowGrowth(counters.socketOverflows)
      checks.append(
        API.Check(
          name: "packet path overflow", status: lately > 0 ? .warning : .ok,
          message:
            "\(counters.socketOverflows) datagrams came faster than this host could take them, \(lately) of them within the last hour: if these go on, it needs more CPU, or less load."
        ))
    }
    let drops = counters.drops.filter { $0.value > 0 }.sorted { $0.key.rawValue < $1.key.rawValue }
    return checks + [tapOverflowCheck()].compactMap { $0 } + drops.map { dropCheck($0.key, $0.value) }
  }

  /// Guests may send as much as they like, so this is no trouble of the host.
  private func tapOverflowCheck() -> API.Check? {
    guard let links = try? kernel.network.links() else { return nil }
    let counts = kernel.tapOverflows(links)
    let drop = API.Drop.tapOverflow(counts.values.reduce(0, +))
    guard drop.count > 0 else { return nil }
    return API.Check(
      name: "drops: \(drop.reason)", status: .ok,
      message: "\(drop.count), \(kernel.drops.growth(ofTAPs: counts)) of them within the last hour. \(drop.message)")
  }

  /// - Parameter reason: why it is sealed by that provider, as a sentence.
  static func threadsSentences(queues: Int, provider: String, reason: String) -> String {
    "\(queues) \(queues == 1 ? "queue" : "queues"), each with a thread that sends and one that receives; AES-256-GCM by \(provider). \(reason)"
  }

  /// Up to five by name.
  static func networksSentence(_ networks: [VNI]) -> String {
    guard !networks.isEmpty else { return "It carries no network." }
    let names = networks.prefix(5).map { OverlayNames.tap($0) }.joined(separator: ", ")
    let more = networks.count > 5 ? " and \(networks.count - 5) more" : ""
    return "It carries \(networks.count) by \(names)\(more)."
  }

  private func dropCheck(_ reason: DropReason, _ count: UInt64) -> API.Check {
    let lately = kernel.drops.growth(reason, count)
    return API.Check(
      name: "drops: \(reason.name)", status: lately > 0 && Self.troubles.contains(reason) ? .warning : .ok,
      message: "\(count), \(lately) of them within the last hour. \(reason.explanation)")
  }

  /// Reasons that no host and no guest of the pool gives in daily life.
  private static let troubles: Set<DropReason> = [
    .sendFailed, .sequenceExhausted, .sealingFailed, .wrongPeer, .integrity, .malformedESP, .wrongPort,
    .malformedTunnel,
  ]
}
