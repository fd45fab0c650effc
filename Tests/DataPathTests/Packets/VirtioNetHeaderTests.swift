import DataPath
import Testing

@Suite struct VirtioNetHeaderTests {
  @Test func itIsLaidOutAsTheKernelDoes() {
    // struct virtio_net_hdr: two octets, then four numbers of 16 bits, little endian.
    let bytes: [UInt8] = [1, 0x81, 66, 0, 0xa8, 5, 34, 0, 16, 1]
    let header = bytes.withUnsafeBytes { buffer in
      buffer.baseAddress.map { VirtioNetHeader(reading: $0) }
    }
    #expect(header?.flags == VirtioNetHeader.needsChecksum)
    #expect(header?.gsoType == VirtioNetHeader.tcp4 | VirtioNetHeader.ecn)
    #expect(header?.headerLength == 66 && header?.gsoSize == 1448)
    #expect(header?.checksumStart == 34 && header?.checksumOffset == 272)
    var written = [UInt8](repeating: 0, count: VirtioNetHeader.size + 1)
    written.withUnsafeMutableBytes { buffer in
      if let base = buffer.baseAddress { header?.write(to: base) }
    }
    #expect(written == bytes + [0])
  }

  @Test func theEmptyOneIsZero() {
    var written = [UInt8](repeating: 9, count: VirtioNetHeader.size)
    written.withUnsafeMutableBytes { buffer in
      if let base = buffer.baseAddress { VirtioNetHeader().write(to: base) }
    }
    #expect(written == [UInt8](repeating: 0, count: 10))
  }
}
