import CNetlink
import Wire

/// An IP address of an interface.
package struct InterfaceAddress: Hashable, Sendable {
  package var interface: Int32
  package var address: IPAddress
  package var prefixLength: UInt8
  /// Reachable from beyond the link (`RT_SCOPE_UNIVERSE`).
  package var isGlobal: Bool
  /// Duplicate address detection (RFC 4862, section 5.4) has not ended, so nothing can be bound to it yet.
  package var isTentative: Bool
  /// Duplicate address detection found that another machine on the link has it.
  package var isDuplicate: Bool
  /// Not to be chosen while there is another: deprecated, temporary (RFC 8981), or a secondary IPv4 address.
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
    // An optimistic address (RFC 4429) is in use while it is still looked for elsewhere.
    isTentative = flags & UInt32(IFA_F_TENTATIVE) != 0 && flags & UInt32(IFA_F_OPTIMISTIC) == 0
    isDuplicate = flags & UInt32(IFA_F_DADFAILED) != 0
    // The bit of a secondary IPv4 address is that of a temporary IPv6 one.
    isSecondChoice = flags & UInt32(IFA_F_DEPRECATED | IFA_F_SECONDARY) != 0
  }

  /// Whether sockets and tunnels can have it as their own address.
  package var isUsable: Bool { !isTentative && !isDuplicate }
}
