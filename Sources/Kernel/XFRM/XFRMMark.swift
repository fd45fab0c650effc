/// How XFRM states and policies of ours are told from those of others (an IKE daemon, an admin). What is not so marked
/// is never changed or removed.
package enum XFRMMark {
  /// "WEFT": the request ID of our states and of the templates in our policies. Other programs count theirs up from 1.
  package static let requestID: UInt32 = 0x5745_4654
  /// Of policies that protect. A lower number is looked at first.
  package static let protectPriority: UInt32 = 22_341
  /// Of policies that block. A policy without template has no request ID, so this number together with a selector that
  /// is exactly one of our kinds is their mark.
  package static let blockPriority: UInt32 = 22_342
}
