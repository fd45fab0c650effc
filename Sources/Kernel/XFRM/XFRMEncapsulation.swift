import CNetlink
import Glibc

/// ESP of a state goes in UDP (RFC 3948), between these ports. A state has one form: what comes in the other one, or as
/// ESP by itself, is dropped.
package struct XFRMEncapsulation: Hashable, Sendable {
  package var source: UInt16
  package var destination: UInt16

  package init(source: UInt16, destination: UInt16) {
    self.source = source
    self.destination = destination
  }

  /// As Weft makes it: one port on both ends.
  package static let weft = XFRMEncapsulation(source: ESPInUDPSocket.port, destination: ESPInUDPSocket.port)
}

extension XFRMEncapsulation {
  /// `UDP_ENCAP_ESPINUDP` of `linux/udp.h`; the kernel knows other, older kinds too.
  static let kind: UInt16 = 2

  /// `struct xfrm_encap_tmpl`. The original address is that of RFC 3947, for hosts behind NAT: none.
  var bytes: [UInt8] {
    var template = xfrm_encap_tmpl()
    template.encap_type = Self.kind
    template.encap_sport = source.bigEndian
    template.encap_dport = destination.bigEndian
    return withUnsafeBytes(of: template) { Array($0) }
  }

  /// nil for another kind, or with an original address.
  init?(_ attribute: Attribute) {
    guard attribute.bytes.count >= MemoryLayout<xfrm_encap_tmpl>.size else { return nil }
    let template = attribute.bytes.loadUnaligned(as: xfrm_encap_tmpl.self)
    guard template.encap_type == Self.kind,
      withUnsafeBytes(of: template.encap_oa, { $0.allSatisfy { $0 == 0 } })
    else { return nil }
    self.init(source: UInt16(bigEndian: template.encap_sport), destination: UInt16(bigEndian: template.encap_dport))
  }
}
