/// What stands before each frame that is read from or written to a TAP device with `IFF_VNET_HDR`: `struct
/// virtio_net_hdr` of `linux/virtio_net.h` (virtio 1.2, section 5.1.6), 10 bytes in the order of the machine, which is
/// little endian.
package struct VirtioNetHeader: Equatable {
  package static let size = 10

  /// The checksum at `checksumStart + checksumOffset` holds the sum of the pseudo-header only.
  package static let needsChecksum: UInt8 = 1

  package static let noSegmentation: UInt8 = 0
  package static let tcp4: UInt8 = 1
  package static let tcp6: UInt8 = 4
  /// Stands beside `tcp4` or `tcp6` if the frame has the CWR flag (RFC 3168).
  package static let ecn: UInt8 = 0x80

  package var flags: UInt8 = 0
  package var gsoType: UInt8 = 0
  /// Bytes of the Ethernet, IP and TCP headers; a hint only.
  package var headerLength: UInt16 = 0
  /// The payload of each TCP segment but the last, in bytes.
  package var gsoSize: UInt16 = 0
  /// Where the checksum begins to count, in bytes from the start of the frame.
  package var checksumStart: UInt16 = 0
  /// Where the checksum itself is, in bytes from `checksumStart`.
  package var checksumOffset: UInt16 = 0

  package init() {}

  /// - Parameter bytes: at least `size` bytes, aligned or not.
  package init(reading bytes: UnsafeRawPointer) {
    flags = bytes.load(as: UInt8.self)
    gsoType = bytes.load(fromByteOffset: 1, as: UInt8.self)
    headerLength = UInt16(littleEndian: bytes.loadUnaligned(fromByteOffset: 2, as: UInt16.self))
    gsoSize = UInt16(littleEndian: bytes.loadUnaligned(fromByteOffset: 4, as: UInt16.self))
    checksumStart = UInt16(littleEndian: bytes.loadUnaligned(fromByteOffset: 6, as: UInt16.self))
    checksumOffset = UInt16(littleEndian: bytes.loadUnaligned(fromByteOffset: 8, as: UInt16.self))
  }

  /// - Parameter bytes: room for `size` bytes, aligned or not.
  package func write(to bytes: UnsafeMutableRawPointer) {
    bytes.storeBytes(of: flags, as: UInt8.self)
    bytes.storeBytes(of: gsoType, toByteOffset: 1, as: UInt8.self)
    bytes.storeBytes(of: headerLength.littleEndian, toByteOffset: 2, as: UInt16.self)
    bytes.storeBytes(of: gsoSize.littleEndian, toByteOffset: 4, as: UInt16.self)
    bytes.storeBytes(of: checksumStart.littleEndian, toByteOffset: 6, as: UInt16.self)
    bytes.storeBytes(of: checksumOffset.littleEndian, toByteOffset: 8, as: UInt16.self)
  }
}
