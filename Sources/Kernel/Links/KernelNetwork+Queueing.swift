import CNetlink
import Glibc

// What stands before a TAP in the kernel: nothing, as the ring of each of its queues holds the frames for the reader.
extension KernelNetwork {
  /// Whether the kernel put queues of its own before a TAP (`link`), or will when it comes up first. It does so for each
  /// of the 256 places for queues that such a device has, by the discipline `mq`, with some 25 KB each. A discipline
  /// that someone else chose is not looked at.
  package func hasQueueing(_ link: Link) -> Bool {
    guard link.tap != nil, !keepsQueueing else { return false }
    return link.queueing == "mq" || link.queueing == "noop"
  }

  /// Takes these queues away; they cost 6.5 MB of memory a device and nothing waits in them. Before the device comes up
  /// first this takes microseconds, later about a millisecond.
  ///
  /// - Returns: whether something was changed. A kernel that refuses is not asked again: all works as well, and costs.
  func removeQueueing(_ link: Link) throws(KernelError) -> Bool {
    guard hasQueueing(link) else { return false }
    var message = NetlinkMessage(
      type: RTM_NEWQDISC, flags: NLM_F_CREATE | NLM_F_REPLACE, Self.trafficHeader(link.index, parent: Self.root))
    message.put(TCA_KIND, text: "noqueue")
    do {
      try socket.perform(message, "take the queues from", link.name)
    } catch {
      guard let code = error.code, [EINVAL, ENOENT, EOPNOTSUPP].contains(code) else { throw error }
      keepsQueueing = true
      return false
    }
    return true
  }

  /// `TC_H_ROOT`.
  private static let root: UInt32 = 0xffff_ffff
}
