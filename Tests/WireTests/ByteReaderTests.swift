import Testing
import Wire

@Suite struct ByteReaderTests {
  @Test func whatIsWrittenIsReadBack() throws {
    var writer = ByteWriter()
    writer.append(UInt8(1))
    writer.append(UInt16(0x0203))
    writer.append(UInt32(0x0405_0607))
    writer.append(UInt64(0x0809_0a0b_0c0d_0e0f))
    writer.append("grün")
    writer.appendBlock32([1, 2, 3])
    writer.append(Endpoint(address: .v4(0xc000_0201), port: 7677))
    writer.append(Boot(counter: 3, nonce: 4))
    #expect(Array(writer.bytes.prefix(15)) == Array(1...15))
    var reader = ByteReader(writer.bytes)
    #expect(try reader.readUInt8() == 1)
    #expect(try reader.readUInt16() == 0x0203)
    #expect(try reader.readUInt32() == 0x0405_0607)
    #expect(try reader.readUInt64() == 0x0809_0a0b_0c0d_0e0f)
    #expect(try reader.readString() == "grün")
    #expect(try reader.readBlock32() == [1, 2, 3])
    #expect(try reader.readEndpoint() == Endpoint(address: .v4(0xc000_0201), port: 7677))
    #expect(try reader.readBoot() == Boot(counter: 3, nonce: 4))
    try reader.expectEnd()
  }

  @Test func everyReadPastTheEndThrowsAndTakesNothing() {
    var reader = ByteReader([1])
    #expect(throws: WireError.truncated("16-bit number")) { _ = try reader.readUInt16() }
    #expect(throws: WireError.self) { _ = try reader.readUInt32() }
    #expect(throws: WireError.self) { _ = try reader.readUInt64() }
    #expect(throws: WireError.self) { _ = try reader.readBytes(2) }
    #expect(throws: WireError.self) { _ = try reader.readBytes(-1) }
    #expect(throws: WireError.self) { _ = try reader.readMAC() }
    #expect(reader.remaining == 1)
    #expect(throws: WireError.trailing(1)) { try reader.expectEnd() }
  }

  @Test func lengthsThatLieAreRefusedBeforeMemoryIsTaken() {
    var block = ByteReader([0xff, 0xff, 0xff, 0xff, 1])
    #expect(throws: WireError.self) { _ = try block.readBlock32() }
    var short = ByteReader([0, 2, 1])
    #expect(throws: WireError.self) { _ = try short.readBlock16() }
    var text = ByteReader([0, 2, 0xc3, 0x28])
    #expect(throws: WireError.invalid("text")) { _ = try text.readString() }
    var address = ByteReader([5, 1, 2, 3, 4, 5])
    #expect(throws: WireError.invalid("address length")) { _ = try address.readIPAddress() }
    var vni = ByteReader([0, 0, 0, 0])
    #expect(throws: WireError.invalid("VNI")) { _ = try vni.readVNI() }
  }
}
