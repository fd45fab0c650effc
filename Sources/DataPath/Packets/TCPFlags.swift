/// The flags of the TCP header's octet 13 (RFC 9293, section 3.1; RFC 3168).
enum TCPFlags {
  static let fin: UInt8 = 0x01
  static let push: UInt8 = 0x08
  static let acknowledge: UInt8 = 0x10
  static let congestionWindowReduced: UInt8 = 0x80
}
