import Wire

/// A security association with another host (RFC 4301 section 4.1), one direction of the traffic of a pair.
package struct Association: Hashable, Sendable {
  package enum Direction: Hashable, Sendable {
    case inbound
    case outbound
  }

  /// nil for an adopted one as long as no host is known to have its address.
  package var peer: HostID?
  package var direction: Direction
  package var spi: SPI
  /// This host's end and the peer's.
  package var local: VTEP
  package var remote: VTEP
  /// nil for one that an earlier run of this agent made: nobody knows its key any more.
  package var key: KeyName?

  package init(peer: HostID?, direction: Direction, spi: SPI, local: VTEP, remote: VTEP, key: KeyName?) {
    self.peer = peer
    self.direction = direction
    self.spi = spi
    self.local = local
    self.remote = remote
    self.key = key
  }
}

extension Association {
  /// The address that the kernel knows it by, together with the SPI (RFC 4301 section 4.4.2.1).
  package var destination: VTEP { direction == .inbound ? local : remote }
}

/// Names the key of one direction between two epochs of two hosts. Who holds the epochs' private keys derives it from
/// this; no key is ever installed twice.
package struct KeyName: Hashable, Sendable {
  package var sender: HostID
  package var senderEpoch: Epoch
  package var receiver: HostID
  package var receiverEpoch: Epoch

  package init(sender: HostID, senderEpoch: Epoch, receiver: HostID, receiverEpoch: Epoch) {
    self.sender = sender
    self.senderEpoch = senderEpoch
    self.receiver = receiver
    self.receiverEpoch = receiverEpoch
  }
}

/// What is known of another host that may have keys.
package struct Peer: Hashable, Sendable {
  /// The newest epoch that its record tells; number 0 if it tells none.
  package var epoch: Epoch
  /// Where tunnels to it end, by the same record.
  package var vtep: VTEP
  /// Its agent answers: without that nothing new is offered to it, and what stands stays.
  package var isReachable: Bool

  package init(epoch: Epoch, vtep: VTEP, isReachable: Bool) {
    self.epoch = epoch
    self.vtep = vtep
    self.isReachable = isReachable
  }
}
