import CNetlink
import Wire

/// What changed in the namespace.
package enum KernelEvent: Equatable, Sendable {
  /// An interface is new or changed (state, carrier, bridge, name, MTU, alias).
  case link(Link)
  case linkGone(index: Int32, name: String)
  /// A forwarding entry is new or changed; our own changes are reported too.
  case entry(FDBEntry)
  case entryGone(FDBEntry)
  case address(InterfaceAddress)
  case addressGone(InterfaceAddress)
  /// Events were lost: dump everything and compare.
  case overrun
}

/// Listens for changes of links, forwarding entries and addresses in the namespace in which it was made. Its descriptor
/// is readable when there is something; for one thread.
package final class KernelMonitor {
  private static let receiveBuffer: Int32 = 16 << 20

  private let listener: NetlinkListener
  /// For epoll; non-blocking.
  package var descriptor: Int32 { listener.descriptor }
  /// Bytes that the kernel granted for waiting events.
  package var receiveBufferSize: Int { listener.room }

  /// - Parameters:
  ///   - entries: whether changes of forwarding entries are reported. Each change of our own would come back as one.
  ///   - receiveBuffer: bytes for events that wait; tests make it small.
  package init(entries: Bool = true, receiveBuffer: Int32? = nil) throws(KernelError) {
    let groups = [RTNLGRP_LINK, RTNLGRP_IPV4_IFADDR, RTNLGRP_IPV6_IFADDR] + (entries ? [RTNLGRP_NEIGH] : [])
    listener = try NetlinkListener(NETLINK_ROUTE, groups: groups.map { Int32($0.rawValue) }, "changes of the network")
    listener.makeRoom(receiveBuffer ?? Self.receiveBuffer)
  }

  /// Everything that waits, up to a limit; empty when there is nothing. Call again while the descriptor is readable.
  package func receive() throws(KernelError) -> [KernelEvent] {
    var events: [KernelEvent] = []
    try listener.receive {
      events.append(.overrun)
    } each: { header, payload in
      if let event = Self.event(Int(header.nlmsg_type), payload) { events.append(event) }
    }
    return events
  }

  private static func event(_ type: Int, _ payload: UnsafeRawBufferPointer) -> KernelEvent? {
    switch type {
    case RTM_NEWLINK: Link(payload).map(KernelEvent.link)
    case RTM_DELLINK: Link(payload).map { .linkGone(index: $0.index, name: $0.name) }
    case RTM_NEWNEIGH: FDBEntry(payload).map(KernelEvent.entry)
    case RTM_DELNEIGH: FDBEntry(payload).map(KernelEvent.entryGone)
    case RTM_NEWADDR: InterfaceAddress(payload).map(KernelEvent.address)
    case RTM_DELADDR: InterfaceAddress(payload).map(KernelEvent.addressGone)
    default: nil
    }
  }
}
