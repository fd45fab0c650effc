import CNetlink
import Wire

/// An IP address of an interface.
package struct InterfaceAddress: Hashable, Sendable {
  package var interface: Int32
  package var address: IPAddress
  package var prefixLength: UInt8
  /// Reachable from beyond the link (`RT_SCOPE_UNIVERSE`).
  package var isGlobal: Bool
  /// Not usable as a source of our own choice: tentative, duplicate, deprecated, temporary, or a secondary IPv4 address.
  package var isSecondChoice: Bool

  /// From the payload of `RTM_NEWADDR` or `RTM_DELADDR`.
  init?(_ payload: UnsafeRawBufferPointer) {
    let size = MemoryLayout<ifaddrmsg>.size
    guard payload.count >= size else { return nil }
    let header = payload.loadUnaligned(as: ifaddrmsg.self)
    var flags = UInt32(header.ifa_flags)
    var own: IPAddress?
    var peer: IPAddress?
    for attribute in Attributes(payload, after: size) {
      switch attribute.type {
      // IFA_ADDRESS is the other end on a point-to-point link; IFA_LOCAL is always ours.
      case Int(IFA_LOCAL): own = attribute.address
      case Int(IFA_ADDRESS): peer = attribute.address
      case Int(IFA_FLAGS): flags = attribute.u32 ?? flags
      default: break
      }
    }
    guard let address = own ?? peer, let index = Int32(exactly: header.ifa_index) else { return nil }
    self.address = address
    interface = index
    prefixLength = header.ifa_prefixlen
    isGlobal = header.ifa_scope == 0
    isSecondChoice =
      flags & UInt32(IFA_F_TENTATIVE | IFA_F_DADFAILED | IFA_F_DEPRECATED | IFA_F_SECONDARY) != 0
  }
}
