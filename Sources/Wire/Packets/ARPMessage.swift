/// An ARP request or answer for IPv4 over Ethernet (RFC 826).
package struct ARPMessage: Hashable, Sendable {
  package var operation: UInt16
  package var senderMAC: MACAddress
  package var senderAddress: IPAddress
  package var targetAddress: IPAddress

  /// nil for other kinds of hardware or protocol, and for what is too short.
  package init?(_ payload: UnsafeRawBufferPointer) {
    guard payload.number16(at: 0) == 1, payload.number16(at: 2) == 0x0800, payload.number16(at: 4) == 0x0604,
      let operation = payload.number16(at: 6), let senderMAC = payload.mac(at: 8),
      let sender = payload.number32(at: 14), let target = payload.number32(at: 24)
    else { return nil }
    self.operation = operation
    self.senderMAC = senderMAC
    senderAddress = .v4(sender)
    targetAddress = .v4(target)
  }

  /// The address that the sender claims as its own; nil for a probe (RFC 5227: sender address 0).
  package var announced: IPAddress? { senderAddress.isUnicast ? senderAddress : nil }
}
