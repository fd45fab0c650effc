import DataPath
import Testing
import Wire

@Suite struct InternetChecksumTests {
  @Test func theExampleOfRFC1071() {
    // Section 3: 0001 f203 f4f5 f6f7 sums up to ddf2.
    let bytes: [UInt8] = [0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7]
    let sum = bytes.withUnsafeBytes { InternetChecksum.sum($0) }
    #expect(InternetChecksum.fold(sum).bigEndian == 0xddf2)
    #expect(InternetChecksum.checksum(sum).bigEndian == ~0xddf2)
  }

  @Test func itIsTheSlowSumAtEveryLengthAndPlace() {
    var random = SeededGenerator(seed: 1)
    let bytes = (0..<200).map { _ in UInt8.random(in: 0...255, using: &random) }
    for start in 0..<9 {
      for count in 0...(200 - start) {
        let fast = bytes[start..<start + count].withUnsafeBytes { InternetChecksum.fold(InternetChecksum.sum($0)) }
        #expect(fast.bigEndian == SlowChecksum.sum(Array(bytes[start..<start + count])))
      }
    }
  }

  @Test func carriesAreNotLost() {
    for count in [1, 2, 63, 64, 65, 1448, 100_001] {
      let bytes = [UInt8](repeating: 255, count: count)
      let sum = bytes.withUnsafeBytes { InternetChecksum.sum($0, .max) }
      #expect(InternetChecksum.fold(sum).bigEndian == SlowChecksum.sum(bytes + [0, 255, 255].suffix(2 + count % 2)))
    }
    #expect(InternetChecksum.fold(.max) == .max && InternetChecksum.fold(0) == 0)
    #expect(InternetChecksum.fold(0xffff_ffff_0000_0001) == 1 && InternetChecksum.fold(0x1_0000) == 1)
    #expect(InternetChecksum.add(.max, 1) == 1 && InternetChecksum.add(.max, .max) == .max)
  }

  @Test func copyingGivesTheSameSumAndTheSameBytes() {
    var random = SeededGenerator(seed: 2)
    let bytes = (0..<300).map { _ in UInt8.random(in: 0...255, using: &random) }
    for count in 0...300 {
      var target = [UInt8](repeating: 0, count: 301)
      let sum = bytes.withUnsafeBytes { source in
        target.withUnsafeMutableBytes { target in
          guard let from = source.baseAddress, let to = target.baseAddress else { return UInt64(0) }
          return InternetChecksum.copy(from, count, to: to, 77)
        }
      }
      #expect(sum == bytes[..<count].withUnsafeBytes { InternetChecksum.sum($0, 77) })
      #expect(target == Array(bytes[..<count]) + [UInt8](repeating: 0, count: 301 - count))
    }
  }

  @Test func theAddressesOfAPseudoHeaderAreSummedAsTheyStandOnTheWire() throws {
    for text in ["192.0.2.1", "255.255.255.255", "2001:db8::ffff:1", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:fffe"] {
      let address = try #require(IPAddress(text))
      let sum = InternetChecksum.fold(InternetChecksum.sum(of: address))
      #expect(sum.bigEndian == SlowChecksum.sum(address.bytes))
    }
    let sum = InternetChecksum.pseudoHeader(protocolNumber: 17, length: 0x1234)
    #expect(InternetChecksum.fold(sum).bigEndian == SlowChecksum.sum([0, 17, 0x12, 0x34]))
  }
}
