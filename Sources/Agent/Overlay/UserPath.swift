import DataPath
import Glibc
import Kernel
import Overlay
import Registry
import Wire

/// The packet path in user space, as the overlay drives it. It belongs to the engine's thread and outlives a node.
final class UserPath {
  let path: DataPath
  let protection: UserProtection
  /// Where it is bound; nil if it could not be.
  private(set) var local: VTEP?
  /// Why it is bound to no address.
  private(set) var bindFailure: DataPathError?
  /// The same as a sentence that says what to do.
  var bindComplaint: String? { bindFailure.map { "\(KernelError($0)) It is tried again within 30 s." } }
  /// The networks that it was given, each with its TAP.
  private var taps: [VNI: String] = [:]

  init(_ settings: DataPath.Settings) throws(DataPathError) {
    path = try DataPath(settings)
    protection = UserProtection(path)
  }

  /// Another address is this host's end of the tunnels now.
  func bind(to address: VTEP) throws(DataPathError) {
    guard local != address else { return }
    local = nil
    do throws(DataPathError) {
      try path.bind(to: address)
    } catch {
      let failure = error.withHolder(of: address, path.settings.port)
      bindFailure = failure
      throw failure
    }
    local = address
    bindFailure = nil
  }

  /// Carries the network of this TAP, which stands.
  ///
  /// - Parameter isNew: the TAP was just made, so what the path may have of one before it is of no use.
  func ensure(_ tunnel: TunnelState, _ encapsulation: PathEncapsulation, isNew: Bool) throws(DataPathError) {
    try bind(to: tunnel.local)
    // Should it fail below, the path may have lost the network.
    taps[tunnel.vni] = nil
    if isNew { path.close(tunnel.vni) }
    try path.open(
      PathNetwork(vni: tunnel.vni, encapsulation: encapsulation, tap: tunnel.name, mtu: tunnel.mtu))
    taps[tunnel.vni] = tunnel.name
    path.publish()
  }

  /// Whether it was given the network with this TAP.
  func carries(_ vni: VNI, by tap: String) -> Bool { taps[vni] == tap }

  func close(_ vni: VNI) {
    taps[vni] = nil
    path.close(vni)
    path.publish()
  }

  /// At the end of a membership: nothing of the pool is carried any more, and none of its keys stays.
  func leave() {
    for vni in Set(path.openNetworks).union(taps.keys) { path.close(vni) }
    taps = [:]
    protection.removeAll()
  }

  /// Takes up what the path met; networks that it lost are found by the next look.
  ///
  /// - Returns: sentences for the log.
  func takeProblems() -> [String] {
    let problems = path.problems()
    if !problems.isEmpty { path.publish() }
    return problems.map { problem in
      switch problem {
      case .tapGone(let vni, let name, let code):
        taps[vni] = nil
        return "The TAP \(name) is gone (errno \(code)); it is made anew if its network is still wanted."
      }
    }
  }
}

extension PathEncapsulation {
  init(_ encapsulation: Encapsulation) {
    self =
      switch encapsulation {
      case .vxlan: .vxlan
      case .gre: .gre
      }
  }
}

extension Encapsulation {
  init(_ encapsulation: PathEncapsulation) {
    self =
      switch encapsulation {
      case .vxlan: .vxlan
      case .gre: .gre
      }
  }
}

extension DataPathError {
  /// With the program that has the port, where that is why.
  fileprivate func withHolder(of address: VTEP, _ port: UInt16) -> DataPathError {
    guard case .refused(let operation, let object, EADDRINUSE) = self,
      let holder = UDPPortHolder.find(address, port)
    else { return self }
    return .refused(operation: operation, object: object + holder, code: EADDRINUSE)
  }
}

extension KernelError {
  /// What the system refused to the packet path is told as what it refused to anyone.
  init(_ error: DataPathError) {
    self =
      switch error {
      case .refused(let operation, let object, let code):
        .refused(operation: operation, object: object, code: code, message: nil)
      case .spiTaken, .unusableKey, .tooManyHosts:
        .refused(operation: "set up", object: "the packet path", code: EINVAL, message: error.description)
      }
  }
}
