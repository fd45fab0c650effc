/// A part of the kernel whose objects are changed, each with a command that shows them.
package enum KernelPart: Sendable {
  case interfaces
  case forwarding
  /// States and policies.
  case ipsec
  case packetFilter

  /// For a sentence: "look with …".
  var shownBy: String {
    switch self {
    case .interfaces: "'ip -d link'"
    case .forwarding: "'bridge fdb'"
    case .ipsec: "'ip xfrm policy' and 'ip xfrm state'"
    case .packetFilter: "'nft list ruleset'"
    }
  }
}
