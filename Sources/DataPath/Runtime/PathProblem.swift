import Wire

/// What the packet path met on its threads and cannot mend alone.
package enum PathProblem: Hashable, Sendable {
  /// The TAP of a network is gone, or cannot be waited for. The network carries nothing and counts as closed until it is opened again.
  case tapGone(VNI, name: String, code: Int32)
}
