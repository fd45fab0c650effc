/// Commands to the kernel about the network namespace in which it was made: links, forwarding entries, addresses.
///
/// Synchronous and for one thread: every call returns when the kernel has done it, in microseconds, save dumps of large
/// tables (about 1 ms per 1,000 entries). All calls that bring about a state are ensures: done twice they change nothing.
package final class KernelNetwork {
  let socket: NetlinkSocket
  var remoteRequest = RemoteRequest()
  /// This kernel has neither of the classifiers that can drop what a bridge hands up to the host.
  package internal(set) var lacksInputFilter = false
  /// This kernel lets nobody take the queues from a TAP.
  var keepsQueueing = false

  package init() throws(KernelError) { socket = try NetlinkSocket() }
}
