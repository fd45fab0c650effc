import Kernel
import Wire

/// The tunnels of one network by interface number.
struct TunnelPorts {
  private(set) var vxlan: Int32?
  /// Of the packet path in user space.
  private(set) var tap: Int32?
  private var gre: [VTEP: Int32] = [:]

  mutating func set(_ link: Link) {
    if let remote = link.gre?.remote {
      gre[remote] = link.index
    } else if link.vxlan != nil {
      vxlan = link.index
    } else if link.tap != nil {
      tap = link.index
    }
  }

  /// - Parameter link: as it was set.
  mutating func remove(_ link: Link) {
    if vxlan == link.index { vxlan = nil }
    if tap == link.index { tap = nil }
    if let remote = link.gre?.remote, gre[remote] == link.index { gre[remote] = nil }
  }

  /// The tunnel of GRE to this host; nil stands for the tunnel that goes to all.
  func index(to remote: VTEP?) -> Int32? { remote.map { gre[$0] } ?? vxlan ?? tap }
}
