import CNetlink

/// Tells that someone changed the rules of packet filters (nf_tables) in the namespace in which it was made. What was
/// changed is for a look to find. For one thread.
package final class PacketFilterMonitor {
  /// `NFNLGRP_NFTABLES` of linux/netfilter/nfnetlink.h.
  private static let group: Int32 = 7

  private let listener: NetlinkListener
  private let ownPort: UInt32
  /// For epoll; non-blocking.
  package var descriptor: Int32 { listener.descriptor }

  /// - Parameter own: changes that were made by it are not told.
  package init(ignoring own: PacketFilterLock) throws(KernelError) {
    listener = try NetlinkListener(NETLINK_NETFILTER, groups: [Self.group], "changes of packet filters")
    ownPort = own.port
  }

  /// Takes what waits, up to a limit.
  ///
  /// - Returns: whether there was something that others did, or may have done.
  package func drain() throws(KernelError) -> Bool {
    var isForeign = false
    try listener.receive {
      isForeign = true
    } each: { header, _ in
      if header.nlmsg_pid != ownPort { isForeign = true }
    }
    return isForeign
  }
}
