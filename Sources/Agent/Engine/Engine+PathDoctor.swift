import Control
import DataPath
import Overlay

// Which packet path carries encrypted networks, and how it fares.
extension Engine {
  func packetPathChecks() -> [API.Check] {
    [choiceCheck(), espInUDPCheck()].compactMap { $0 } + (kernel.userPath.map { userPathChecks($0) } ?? [])
  }

  private func choiceCheck() -> API.Check {
    let name = "packet path"
    let reason = kernel.choice.reason
    return switch kernel.choice.path {
    case .kernel:
      API.Check(name: name, status: .ok, message: "The kernel carries encrypted networks. \(reason)")
    case .user:
      API.Check(name: name, status: .ok, message: "User space carries encrypted networks. \(reason)")
    case nil:
      API.Check(
        name: name, status: .warning,
        message: "Nothing carries encrypted networks here; those with --encryption off are not affected. \(reason)")
    }
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
    if let failure = userPath.bindFailure {
      checks.append(
        API.Check(
          name: "packet path socket", status: .failure,
          message: "Packets of encrypted networks neither leave nor come. \(failure)"))
    }
    let count = userPath.path.settings.queues
    checks.append(
      API.Check(
        name: "packet path threads", status: .ok,
        message:
          "\(count) \(count == 1 ? "queue" : "queues"), each with a thread that sends and one that receives; AES-256-GCM by \(counters.provider)."
      ))
    let taps = userPath.path.openNetworks.map { OverlayNames.tap($0) }
    checks.append(
      API.Check(
        name: "packet path networks", status: .ok,
        message: taps.isEmpty
          ? "It carries no network." : "It carries \(taps.count) by \(taps.joined(separator: ", "))."))
    if counters.socketOverflows > 0 {
      checks.append(
        API.Check(
          name: "packet path overflow", status: .warning,
          message:
            "\(counters.socketOverflows) datagrams came faster than this host could take them: it needs more CPU, or less load."
        ))
    }
    return checks + API.Drop.list(counters.drops).map { dropCheck($0) }
  }

  private func dropCheck(_ drop: API.Drop) -> API.Check {
    let isTrouble = DropReason.allCases.first { $0.name == drop.reason }.map(Self.troubles.contains) ?? true
    return API.Check(
      name: "drops: \(drop.reason)", status: isTrouble ? .warning : .ok, message: "\(drop.count). \(drop.message)")
  }

  /// Reasons that no host and no guest of the pool gives in daily life.
  private static let troubles: Set<DropReason> = [
    .sendFailed, .sequenceExhausted, .wrongPeer, .integrity, .malformedESP, .wrongPort, .malformedTunnel,
  ]
}
