import DataPath
import Testing
import Wire

@Suite struct InnerHeaderTests {
  private let frame = [UInt8](repeating: 0xab, count: 61)

  private func read(_ next: UInt8, _ bytes: [UInt8]) throws -> InnerHeader {
    try bytes.withUnsafeBytes { try InnerHeader.read(nextHeader: next, $0) }
  }

  private func vxlan(_ vni: UInt32) throws -> [UInt8] {
    let vni = try #require(VNI(vni))
    var header = [UInt8](repeating: 0xff, count: InnerHeader.vxlanSize)
    header.withUnsafeMutableBytes { bytes in
      guard let base = bytes.baseAddress else { return }
      InnerHeader.writeVXLAN(to: base, vni: vni, sourcePort: 0xc001, frameLength: frame.count)
    }
    return header
  }

  @Test func vxlanIsWrittenAsRFC7348Says() throws {
    let header = try vxlan(0x01_0203)
    #expect(header == [0xc0, 0x01, 0x1d, 0xff, 0, 77, 0, 0, 0x08, 0, 0, 0, 1, 2, 3, 0])
    let inner = try read(17, header + frame)
    #expect(inner.kind == .vxlan && inner.vni.value == 0x01_0203)
    #expect(inner.frameOffset == 16 && inner.frameLength == 61)
  }

  @Test func greIsWrittenAsRFC2890Says() throws {
    let vni = try #require(VNI(0x01_0203))
    var header = [UInt8](repeating: 0xff, count: InnerHeader.greSize)
    header.withUnsafeMutableBytes { bytes in
      if let base = bytes.baseAddress { InnerHeader.writeGRE(to: base, vni: vni) }
    }
    #expect(header == [0x20, 0, 0x65, 0x58, 0, 1, 2, 3])
    let inner = try read(47, header + frame)
    #expect(inner.kind == .gre && inner.vni == vni && inner.frameOffset == 8 && inner.frameLength == 61)
  }

  @Test func theChecksumOverIPv6IsComplete() throws {
    let (local, remote) = (try #require(IPAddress("2001:db8::1")), try #require(IPAddress("2001:db8::2")))
    for length in [14, 60, 61] {
      let frame = (0..<length).map { UInt8(truncatingIfNeeded: $0 &* 99) }
      var header = try vxlan(9)
      header[5] = UInt8(length + 16)
      header.withUnsafeMutableBytes { bytes in
        guard let base = bytes.baseAddress else { return }
        InnerHeader.completeVXLAN(
          at: base, addresses: InternetChecksum.add(.init(sum(local)), .init(sum(remote))),
          frameSum: frame.withUnsafeBytes { InternetChecksum.sum($0) }, frameLength: length)
      }
      let pseudo = local.bytes + remote.bytes + [0, 17, 0, UInt8(length + 16)]
      #expect(SlowChecksum.sum(pseudo + header + frame) == 0xffff)
      #expect(header[6] != 0 || header[7] != 0)
    }
  }

  @Test func aChecksumOfZeroIsWrittenAsAllOnes() throws {
    var header = try vxlan(9)
    let addresses = try #require(IPAddress("2001:db8::1"))
    let rest = SlowChecksum.sum(addresses.bytes + [0, 17, 0, 77] + header)
    // A frame that makes the whole sum 0xffff.
    let frameSum = UInt64((~rest).bigEndian)
    header.withUnsafeMutableBytes { bytes in
      guard let base = bytes.baseAddress else { return }
      InnerHeader.completeVXLAN(at: base, addresses: sum(addresses), frameSum: frameSum, frameLength: 61)
    }
    #expect(header[6...7] == [0xff, 0xff])
  }

  private func sum(_ address: IPAddress) -> UInt64 { InternetChecksum.sum(of: address) }

  @Test func aHeaderThatNoHostWritesIsRefused() throws {
    let right = try vxlan(5) + frame
    for (offset, reason) in [
      (2, DropReason.wrongPort), (3, .wrongPort), (4, .malformedTunnel), (8, .malformedTunnel), (9, .malformedTunnel),
      (10, .malformedTunnel), (11, .malformedTunnel), (15, .malformedTunnel),
    ] {
      var bytes = right
      bytes[offset] ^= 0x01
      #expect(throws: reason, "octet \(offset)") { try read(17, bytes) }
    }
    let gre: [UInt8] = [0x20, 0, 0x65, 0x58, 0, 0, 0, 5]
    for offset in 0..<4 {
      var bytes = gre + frame
      bytes[offset] ^= 0x10
      #expect(throws: DropReason.malformedTunnel) { try read(47, bytes) }
    }
    for next in UInt8.min...UInt8.max where next != 17 && next != 47 {
      #expect(throws: next == 59 ? DropReason.dummy : .malformedTunnel) { try read(next, right) }
    }
  }

  @Test func aVNIThatNoNetworkHasIsOfAWrongNetwork() {
    let vxlan: [UInt8] = [0xc0, 0x01, 0x1d, 0xff, 0, 77, 0, 0, 0x08, 0, 0, 0, 0, 0, 0, 0]
    #expect(throws: DropReason.wrongNetwork) { try read(17, vxlan + frame) }
    #expect(throws: DropReason.wrongNetwork) { try read(47, [0x20, 0, 0x65, 0x58, 0, 0, 0, 0] + frame) }
    #expect(throws: DropReason.wrongNetwork) { try read(47, [0x20, 0, 0x65, 0x58, 1, 0, 0, 0] + frame) }
  }

  @Test func lengthsAreHeldAgainstEachOther() throws {
    let right = try vxlan(5) + frame
    // Bytes behind the datagram are padding; the datagram cannot be longer than what came.
    #expect(try read(17, right + [0, 0, 0]).frameLength == 61)
    #expect(throws: DropReason.malformedTunnel) { try read(17, Array(right.dropLast())) }
    var short = right
    short.set(29, at: 4)
    #expect(throws: DropReason.malformedTunnel) { try read(17, short) }
    short.set(30, at: 4)
    #expect(try read(17, short).frameLength == 14)
    for count in 0..<30 { #expect(throws: DropReason.malformedTunnel) { try read(17, Array(right.prefix(count))) } }
    let gre: [UInt8] = [0x20, 0, 0x65, 0x58, 0, 0, 0, 5] + frame
    for count in 0..<22 { #expect(throws: DropReason.malformedTunnel) { try read(47, Array(gre.prefix(count))) } }
    #expect(try read(47, Array(gre.prefix(22))).frameLength == 14)
  }
}
