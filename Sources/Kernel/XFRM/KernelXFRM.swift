import CNetlink
import Glibc
import Wire

/// Commands about IPsec (XFRM) to the kernel of the network namespace in which it was made: states, which hold keys, and
/// policies, which say what traffic has to use them.
///
/// Synchronous and for one thread, like `KernelNetwork`. Only what is marked as ours (`XFRMMark`) is listed, changed
/// or removed.
package final class KernelXFRM {
  let socket: NetlinkSocket

  package init() throws(KernelError) { socket = try NetlinkSocket(NETLINK_XFRM) }
}
