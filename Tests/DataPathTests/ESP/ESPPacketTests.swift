import Testing
import Wire

@testable import DataPath

@Suite struct ESPPacketTests {
  /// draft-mcgrew-gcm-test-01 gives whole packets; the cases 9, 11 and 14 have 256 bits and extended sequence numbers.
  @Test(arguments: AEADVector.all.filter { $0.aad.count == 12 && $0.name.contains("mcgrew") }.map(\.name))
  func aPublishedPacketIsSealedAndOpened(_ name: String) throws {
    let vector = try #require(AEADVector.all.first { $0.name == name })
    let spi = vector.aad[..<4].reduce(UInt32(0)) { $0 << 8 | UInt32($1) }
    let sequence = vector.aad[4...].reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
    let cipher = try TestCipher(spi: spi, material: vector.key + vector.nonce[..<4])
    let header = vector.aad[..<4] + vector.aad[8...] + vector.nonce[4...]
    let sealed = cipher.seal(Array(header) + vector.text + Array(repeating: 0, count: 16), sequence: sequence)
    #expect(sealed == Array(header) + vector.sealed + vector.tag)
    let opened = cipher.open(try #require(sealed), sequence: sequence)
    #expect(opened == Array(header) + vector.text + vector.tag)
  }

  @Test func threePublishedPacketsAreOfThisKind() {
    #expect(AEADVector.all.filter { $0.aad.count == 12 && $0.name.contains("mcgrew") }.count == 3)
  }

  @Test(arguments: Providers.all.map { SendableProvider($0) })
  func everyLengthOfPayloadComesBack(_ provider: SendableProvider) throws {
    let pair = try ESPPair(provider: provider.value)
    var bytes: UInt64 = 0
    let lengths = Array(0...260) + [1440, 1441, 1442, 1443, 8972]
    for length in lengths {
      let payload = (0..<length).map { UInt8(truncatingIfNeeded: $0 * 31 + length) }
      let packet = pair.seal(payload, nextHeader: 47)
      #expect(packet.count.isMultiple(of: 4))
      #expect((18 + 16 + length...OutboundSA.overhead + length).contains(packet.count))
      #expect(pair.open(packet) == .payload(payload, 47))
      bytes += UInt64(length)
    }
    #expect(pair.outbound.packets == UInt64(lengths.count) && pair.outbound.bytes == bytes)
    #expect(pair.inbound.packets == UInt64(lengths.count) && pair.inbound.bytes == bytes)
  }

  @Test func aPacketBeginsWithSPISequenceAndIV() throws {
    let mask: UInt64 = 0xff00_0000_0000_0f00
    let outbound = try OutboundSA(
      spi: ESPPair.spi, material: ESPPair.material, threads: 1, provider: LibcryptoProvider(), used: 0x1_0000_0041,
      mask: mask)
    #expect(
      Array(try ESPPair().seal([1], by: outbound)[..<16])
        == [0x12, 0x34, 0x56, 0x78, 0, 0, 0, 0x42, 0xff, 0, 0, 1, 0, 0, 0x0f, 0x42])
  }

  @Test func theFirstNumberIsOne() throws {
    #expect(Array(try ESPPair().seal([1])[4..<8]) == [0, 0, 0, 1])
  }

  /// RFC 4303, section 2.4: bytes 1, 2, 3, the trailer at a multiple of 4.
  @Test func paddingIsThatOfTheRFC() throws {
    for (length, trailer) in [(4, [1, 2, 2, 17]), (5, [1, 1, 17]), (6, [0, 17]), (7, [1, 2, 3, 3, 17])] {
      let pair = try ESPPair()
      let packet = pair.seal(Array(repeating: 9, count: length))
      let opened = try #require(try TestCipher().open(packet, sequence: 1))
      #expect(Array(opened[(16 + length)..<(opened.count - 16)]) == trailer.map { UInt8($0) })
    }
  }

  @Test func materialIsOf36Bytes() {
    for length in [0, 32, 35, 37] {
      let material = Array(repeating: UInt8(1), count: length)
      #expect(throws: DataPathError.unusableKey) {
        try OutboundSA(spi: 300, material: material, threads: 2, provider: LibcryptoProvider())
      }
      #expect(throws: DataPathError.unusableKey) {
        try InboundSA(spi: 300, material: material, provider: LibcryptoProvider())
      }
    }
    #expect(throws: DataPathError.unusableKey) {
      try OutboundSA(spi: 300, material: ESPPair.material, threads: 2, provider: BrokenProvider(fault: .noKey))
    }
  }

  @Test func theSaltTheKeyAndTheSPIAreAllPartOfThePacket() throws {
    let packet = try ESPPair().seal([1, 2, 3, 4])
    for place in [0, 31, 32, 35] {
      var material = ESPPair.material
      material[place] ^= 1
      #expect(try open(packet, by: ESPPair.spi, material) == .dropped(.integrity))
    }
    #expect(try open(packet, by: ESPPair.spi + 1, ESPPair.material) == .dropped(.integrity))
    #expect(try open(packet, by: ESPPair.spi, ESPPair.material) == .payload(offset: 16, length: 4, nextHeader: 17))
  }

  private func open(_ packet: [UInt8], by spi: UInt32, _ material: [UInt8]) throws -> OpenedPacket {
    let association = try InboundSA(spi: spi, material: material, provider: LibcryptoProvider())
    var packet = packet
    let opened = packet.withUnsafeMutableBytes { memory in
      memory.baseAddress.map { association.open($0, length: memory.count) }
    }
    return try #require(opened)
  }
}
