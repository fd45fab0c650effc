import CNetlink
import Glibc
import Wire

/// Which packets a policy is about, in the kernel's form. It compares source, destination, both ports under their masks
/// and the protocol; for GRE the two halves of the key stand in the place of the ports.
enum XFRMSelector {
  static func kernel(_ policy: XFRMPolicy) -> xfrm_selector {
    var selector = xfrm_selector()
    switch policy.action {
    case .block(let isV6): selector.family = XFRMAddress.family(isV6)
    case .protect(let source, let destination, _):
      selector.family = XFRMAddress.family(source.isV6)
      selector.saddr = XFRMAddress.kernel(source)
      selector.daddr = XFRMAddress.kernel(destination)
      selector.prefixlen_s = source.isV6 ? 128 : 32
      selector.prefixlen_d = selector.prefixlen_s
    }
    switch policy.traffic {
    case .udp(let port):
      selector.proto = IPProtocol.udp
      selector.dport = port.bigEndian
      selector.dport_mask = .max
    case .gre(let key):
      selector.proto = IPProtocol.gre
      selector.sport = UInt16(key >> 16).bigEndian
      selector.sport_mask = .max
      selector.dport = UInt16(truncatingIfNeeded: key).bigEndian
      selector.dport_mask = .max
    }
    return selector
  }

  /// nil if it selects other traffic than a policy of ours.
  static func traffic(_ selector: xfrm_selector) -> XFRMPolicy.Traffic? {
    guard selector.ifindex == 0, selector.user == 0, selector.dport_mask == .max else { return nil }
    switch selector.proto {
    case IPProtocol.udp:
      guard selector.sport == 0, selector.sport_mask == 0 else { return nil }
      return .udp(port: UInt16(bigEndian: selector.dport))
    case IPProtocol.gre:
      guard selector.sport_mask == .max else { return nil }
      return .gre(key: UInt32(UInt16(bigEndian: selector.sport)) << 16 | UInt32(UInt16(bigEndian: selector.dport)))
    default: return nil
    }
  }

  /// From any address to any.
  static func isWide(_ selector: xfrm_selector) -> Bool {
    selector.prefixlen_s == 0 && selector.prefixlen_d == 0
      && withUnsafeBytes(of: selector.saddr) { $0.allSatisfy { $0 == 0 } }
      && withUnsafeBytes(of: selector.daddr) { $0.allSatisfy { $0 == 0 } }
  }

  /// From one address to another; nil if it is wider.
  static func ends(_ selector: xfrm_selector, isV6: Bool) -> (source: VTEP, destination: VTEP)? {
    let whole: UInt8 = isV6 ? 128 : 32
    guard selector.prefixlen_s == whole, selector.prefixlen_d == whole else { return nil }
    return (
      XFRMAddress.address(selector.saddr, isV6: isV6), XFRMAddress.address(selector.daddr, isV6: isV6)
    )
  }

  /// The selector of a state that takes all traffic of its family.
  static func selectsAll(_ selector: xfrm_selector, isV6: Bool) -> Bool {
    isWide(selector) && selector.family == XFRMAddress.family(isV6) && selector.proto == 0 && selector.dport_mask == 0
      && selector.sport_mask == 0 && selector.ifindex == 0 && selector.user == 0
  }
}
