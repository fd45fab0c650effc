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

  init(_ settings: DataPath.Settings = .init()) throws(DataPathError) {
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
      bindFailure = error
      throw error
    }
    local = address
    bindFailure = nil
  }

  /// Carries the network of this TAP, which stands.
  ///
  /// - Parameter isNew: the TAP was just made, so what the path may have of one before it is of no use.
  func ensure(_ tunnel: TunnelState, _ encapsulation: PathEncapsulation, isNew: Bool) throws(DataPathError) {
    try bind(to: tunnel.local)
    if isNew { path.close(tunnel.vni) }
    try path.open(
      PathNetwork(vni: tunnel.vni, encapsulation: encapsulation, tap: tunnel.name, mtu: tunnel.mtu))
    path.publish()
  }

  func close(_ vni: VNI) {
    path.close(vni)
    path.publish()
  }

  /// Takes up what the path met; networks that it lost are found by the next look.
  ///
  /// - Returns: sentences for the log.
  func takeProblems() -> [String] {
    path.problems().map { problem in
      switch problem {
      case .tapGone(_, let name, let code):
        "The TAP \(name) is gone (errno \(code)); it is made anew if its network is still wanted."
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
