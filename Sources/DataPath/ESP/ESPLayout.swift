/// Where things stand in a packet of ESP (RFC 4303, section 2; RFC 4106, sections 3 and 4), behind the UDP header: SPI,
/// the low half of the sequence number, IV, payload, padding, pad length, next header, ICV.
enum ESPLayout {
  static let spi = 0
  static let sequence = 4
  static let iv = 8
  /// What is encrypted begins here.
  static let payload = 16
  static let icvLength = AEADKey.tagLength
  /// Pad length and next header.
  static let trailerLength = 2
  /// The trailer ends at a multiple of this, counted from the payload.
  static let alignment = 4
  /// With no payload there are two bytes of padding before the trailer.
  static let minimum = payload + alignment + icvLength

  /// Bytes of padding for this much payload (RFC 4303, section 2.4).
  static func padding(_ payloadLength: Int) -> Int { -(payloadLength &+ trailerLength) & (alignment - 1) }

  /// Whether a packet can have this length.
  static func isPossible(_ length: Int) -> Bool { length >= minimum && length & (alignment - 1) == 0 }
}
