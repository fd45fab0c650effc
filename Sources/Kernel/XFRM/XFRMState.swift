import Wire

/// A security association in the kernel (RFC 4301 section 4.4.2): ESP in transport mode with AES-256-GCM (RFC 4106), a
/// 16-byte ICV and extended sequence numbers (RFC 4304). Addressed by destination and SPI.
package struct XFRMState: Hashable, Sendable {
  package var source: VTEP
  package var destination: VTEP
  /// As a number; 256 or more for those that Weft makes.
  package var spi: UInt32
  /// `XFRMMark.requestID` for ours.
  package var requestID: UInt32
  /// 32 bytes of key and 4 of salt (RFC 4106 section 8.1). A locked-down kernel shows zeros in their place.
  package var key: [UInt8]
  /// nil: ESP by itself, as two hosts with the kernel's packet path speak it. Otherwise ESP in UDP, for which both hosts
  /// hold a socket (`ESPInUDPSocket`).
  package var encapsulation: XFRMEncapsulation?
  /// Whether everything in it that can be read back is as this release makes it.
  package var isAsMade: Bool

  package init(
    source: VTEP, destination: VTEP, spi: UInt32, requestID: UInt32 = XFRMMark.requestID, key: [UInt8],
    encapsulation: XFRMEncapsulation? = nil, isAsMade: Bool = true
  ) {
    self.source = source
    self.destination = destination
    self.spi = spi
    self.requestID = requestID
    self.key = key
    self.encapsulation = encapsulation
    self.isAsMade = isAsMade
  }

  package static let algorithm = "rfc4106(gcm(aes))"
  package static let keyLength = 36
  /// In bits.
  package static let icvLength: UInt32 = 128
  /// In packets: how far a packet may come behind the newest one. The most that the kernel takes.
  package static let replayWindow: UInt32 = 4096
}

/// Without the key, so that it gets into no log.
extension XFRMState: CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
  package var description: String {
    let form = encapsulation.map { " in UDP from port \($0.source) to \($0.destination)" } ?? ""
    return "SPI 0x\(String(spi, radix: 16)) from \(source) to \(destination)\(form)"
      + (isAsMade ? "" : ", not as made")
  }

  package var debugDescription: String { description }

  package var customMirror: Mirror { Mirror(self, children: [(label: String?, value: Any)]()) }
}

/// What an SA has done so far, as the kernel counts it.
package struct XFRMUse: Hashable, Sendable {
  package var packets: UInt64
  package var bytes: UInt64
  /// Packets dropped because they came a second time.
  package var replayed: UInt32
  /// Packets dropped because they were older than the window. With extended sequence numbers the kernel takes most of
  /// them for packets of the next 2^32 (RFC 4303 appendix A2.2), so they count as integrity failures.
  package var late: UInt32
  /// Packets dropped because their ICV was wrong.
  package var integrityFailures: UInt32
  /// Seconds since 1970, by the kernel's clock. nil if it was never used, and on kernels that tell it of no ESP state.
  package var lastUsed: UInt64?
}
