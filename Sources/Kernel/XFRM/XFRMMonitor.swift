import CNetlink
import Glibc
import Wire

/// What others changed of our states and policies.
package enum XFRMEvent: Hashable, Sendable {
  /// A state was removed, or ran out.
  case stateGone(source: VTEP, destination: VTEP, spi: UInt32)
  /// A state was added or updated.
  case stateChanged(source: VTEP, destination: VTEP, spi: UInt32)
  /// A policy was added, updated or removed. nil: one that is marked as ours but is nothing that this release makes.
  case policyChanged(XFRMPolicy?)
  /// Everything was flushed: all states or all policies are gone.
  case everything
  /// Events were lost: list everything and compare.
  case overrun
}

/// Listens for changes of XFRM states and policies of ours in the namespace in which it was made. Its descriptor is
/// readable when there is something; for one thread.
package final class XFRMMonitor {
  private static let receiveBuffer: Int32 = 4 << 20

  private let listener: NetlinkListener
  private let ownPort: UInt32?
  /// For epoll; non-blocking.
  package var descriptor: Int32 { listener.descriptor }

  /// - Parameters:
  ///   - own: changes that were made by it are not reported.
  ///   - receiveBuffer: bytes for events that wait; tests make it small.
  package init(ignoring own: KernelXFRM? = nil, receiveBuffer: Int32? = nil) throws(KernelError) {
    let groups = [XFRMNLGRP_SA, XFRMNLGRP_POLICY].map { Int32($0.rawValue) }
    listener = try NetlinkListener(NETLINK_XFRM, groups: groups, "changes of IPsec states")
    listener.makeRoom(receiveBuffer ?? Self.receiveBuffer)
    ownPort = own?.socket.port
  }

  /// Everything that waits, up to a limit; call again while the descriptor is readable.
  package func receive() throws(KernelError) -> [XFRMEvent] {
    // Notices of new states hold their keys.
    defer { listener.wipe() }
    var events: [XFRMEvent] = []
    try listener.receive {
      events.append(.overrun)
    } each: { header, payload in
      guard header.nlmsg_pid != ownPort || ownPort == nil else { return }
      if let event = Self.event(Int(header.nlmsg_type), payload) { events.append(event) }
    }
    return events
  }

  private static func event(_ type: Int, _ payload: UnsafeRawBufferPointer) -> XFRMEvent? {
    switch type {
    case Int(XFRM_MSG_NEWSA), Int(XFRM_MSG_UPDSA):
      return name(payload).map { .stateChanged(source: $0.source, destination: $0.destination, spi: $0.spi) }
    case Int(XFRM_MSG_DELSA):
      return inside(payload, after: MemoryLayout<xfrm_usersa_id>.size, XFRMA_SA).flatMap { name($0) }
        .map { .stateGone(source: $0.source, destination: $0.destination, spi: $0.spi) }
    case Int(XFRM_MSG_NEWPOLICY), Int(XFRM_MSG_UPDPOLICY):
      return XFRMPolicy.read(payload).flatMap { $0.isOurs ? .policyChanged($0.policy) : nil }
    case Int(XFRM_MSG_DELPOLICY): return policyGone(payload)
    case Int(XFRM_MSG_FLUSHSA):
      // For one protocol; 0 and 255 stand for all.
      return payload.first.map { [0, UInt8(IPPROTO_ESP), 255].contains($0) } ?? true ? .everything : nil
    case Int(XFRM_MSG_FLUSHPOLICY): return .everything
    default: return nil
    }
  }

  private static func policyGone(_ payload: UnsafeRawBufferPointer) -> XFRMEvent? {
    let size = MemoryLayout<xfrm_userpolicy_id>.size
    guard let information = inside(payload, after: size, XFRMA_POLICY),
      information.count >= MemoryLayout<xfrm_userpolicy_info>.size
    else { return nil }
    let standing = XFRMPolicy.standing(
      information.loadUnaligned(as: xfrm_userpolicy_info.self), Attributes(payload, after: size))
    return standing.isOurs ? .policyChanged(standing.policy) : nil
  }

  /// The attribute of a notice of removal that holds what was removed.
  private static func inside(
    _ payload: UnsafeRawBufferPointer, after size: Int, _ type: xfrm_attr_type_t
  ) -> UnsafeRawBufferPointer? {
    Attributes(payload, after: size).first { $0.type == Int(type.rawValue) }?.bytes
  }

  /// A state's name, if it is one of ours.
  private static func name(
    _ payload: UnsafeRawBufferPointer
  ) -> (source: VTEP, destination: VTEP, spi: UInt32)? {
    guard payload.count >= MemoryLayout<xfrm_usersa_info>.size else { return nil }
    let information = payload.loadUnaligned(as: xfrm_usersa_info.self)
    guard information.reqid == XFRMMark.requestID, information.id.proto == UInt8(IPPROTO_ESP),
      let isV6 = XFRMAddress.isV6(information.family)
    else { return nil }
    return (
      XFRMAddress.address(information.saddr, isV6: isV6), XFRMAddress.address(information.id.daddr, isV6: isV6),
      UInt32(bigEndian: information.id.spi)
    )
  }
}
