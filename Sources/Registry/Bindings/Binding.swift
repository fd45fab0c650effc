import Wire

/// Which host owns a MAC of a network.
package struct Binding: Hashable, Sendable {
  package var host: HostID
  package var sequence: MobilitySequence
  /// The owner is dead, or came back in a new boot and has not said it again: nothing better is known.
  package var isHidden: Bool

  package init(host: HostID, sequence: MobilitySequence, isHidden: Bool = false) {
    self.host = host
    self.sequence = sequence
    self.isHidden = isHidden
  }
}
