/// Why a packet was not sealed or a datagram not opened. Counted by name; nothing is ever answered because of one.
package enum SealingError: Error, Hashable, Sendable, CaseIterable, CustomStringConvertible {
  /// A public key of the peer is no X25519 key, or one that leaks the secret (RFC 7748 section 6.1).
  case badPeerKey
  /// A session was asked for with a boot of the peer that is not its latest, or with other keys for the same boot.
  case oldBoot
  /// The plaintext does not fit a datagram.
  case tooLong
  /// This session has sealed as many packets as one key may: a new boot is needed.
  case exhausted
  /// Not a sealed packet of this format.
  case notSealed
  /// The header names another sender or another boot of it.
  case otherSender
  /// The header names another boot of this host.
  case otherReceiver
  /// The counter was seen before, or is too old to know.
  case replayed
  /// The tag is wrong: changed on the way, sealed under another key, or reflected.
  case forged

  package var description: String {
    switch self {
    case .badPeerKey: "the peer's key cannot be used"
    case .oldBoot: "a later run of that host's agent is known"
    case .tooLong: "the packet is too long"
    case .exhausted: "too many packets were sealed under one key; restart the agent"
    case .notSealed: "not a sealed packet"
    case .otherSender: "from another host or another run of its agent"
    case .otherReceiver: "meant for another run of this agent"
    case .replayed: "a repetition of a packet that came before"
    case .forged: "not sealed by the host that it names"
    }
  }
}
