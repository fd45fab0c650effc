import Wire

/// What is to be done, in this order.
package enum Effect: Hashable, Sendable {
  /// Draw a new key pair under this number, forget the private key before it, and tell the pool the public half.
  case drawEpoch(UInt64)
  /// Install this inbound SA; the answer is `Associations.installed`.
  case install(Association)
  /// Install this outbound SA, then turn every policy for the peer to it; the answer is `Associations.switched`.
  case switchOutbound(Association)
  /// Take this SA away, whether or not it stands.
  case remove(Association)
  /// For this boot of the host alone, as the numbers of epochs in the frame belong to it: to be dropped if the packet
  /// would be sealed for another.
  case send(GossipFrame, to: HostID, boot: Boot)
  case event(AssociationEvent)
}

/// How the installation of an SA went.
package enum InstallOutcome: Hashable, Sendable {
  case done
  /// Another SA has the SPI: nothing was installed, another SPI is to be drawn.
  case spiTaken
  /// Nothing was installed; it may be tried again later.
  case refused
  /// It was installed but could not be put to use, or is gone again: its key must not be used any more.
  case burnt
}

/// What an admin may want to know.
package enum AssociationEvent: Hashable, Sendable {
  /// Keys with this host stand in both directions now, for the first time in this run or after they were lost.
  case established(HostID)
  /// A new epoch was drawn.
  case rekeyed(epoch: UInt64, RekeyReason)
  /// The rekey with this host waits: as many SAs as may stand do, and it confirms none of the newer ones.
  case waiting(HostID)
}

package enum RekeyReason: Hashable, Sendable {
  case start
  case time
  case packets
  case asked
  case addressChanged
  /// An SA with this host was gone or not as it was made.
  case lost(HostID)
}
