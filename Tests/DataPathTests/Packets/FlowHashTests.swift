import DataPath
import Testing

@Suite struct FlowHashTests {
  private func port(_ frame: GuestFrame) -> UInt16 { port(frame.bytes) }
  private func port(_ bytes: [UInt8]) -> UInt16 { bytes.withUnsafeBytes { FlowHash.port($0) } }

  @Test func aFlowKeepsItsPort() {
    for isIPv6 in [false, true] {
      var frame = GuestFrame.large(isIPv6: isIPv6, count: 100)
      let first = port(frame)
      #expect(first >= 49_152)
      frame.sequence += 5
      frame.flags = 0x11
      frame.identification = 9
      frame.payload = [1]
      frame.tcpOptions = []
      #expect(port(frame) == first)
    }
  }

  @Test func flowsAreSpread() {
    var ports: Set<UInt16> = []
    for isIPv6 in [false, true] {
      var frame = GuestFrame.large(isIPv6: isIPv6, count: 10)
      for number in 0..<500 {
        frame.sourcePort = UInt16(number)
        ports.insert(port(frame))
        frame.destinationHost = UInt8(number % 250)
        ports.insert(port(frame))
      }
    }
    // 2,000 draws of 16,384, and a few repeat.
    #expect(ports.count > 1600)
    #expect(ports.allSatisfy { $0 >= 49_152 })
  }

  @Test func allFragmentsOfAPacketHaveOnePort() {
    var first = GuestFrame.large(count: 100)
    first.fragment = 0x2000
    var second = first
    second.fragment = 0x0010
    second.sourcePort = 7777
    #expect(port(first) == port(second))
    // The first one has no more than the ports and four bytes.
    var short = GuestFrame(fragment: 0x2000).bytes
    short.removeLast(12)
    short.set(28, at: 16)
    #expect(port(short) == port(second))
  }

  /// Destination options behind the fragment header: which protocol follows is told by the first fragment alone.
  @Test func allFragmentsOfAnIPv6PacketHaveOnePort() {
    let options: (UInt8, [UInt8]) = (60, [0, 1, 4, 0, 0, 0, 0])
    let first = GuestFrame(isIPv6: true, extensions: [(44, [0, 0, 1, 1, 2, 3, 4]), options], payload: [1])
    var later = GuestFrame(isIPv6: true, extensions: [(44, [0, 0, 48, 1, 2, 3, 4])], payload: [2]).bytes
    later[54] = 60
    #expect(first.bytes[54] == 60 && port(first) == port(later))
    var other = first
    other.destinationHost = 9
    #expect(port(other) != port(first))
  }

  @Test func whatIsNoIPIsToldApartByItsStations() {
    let arp = [UInt8](repeating: 255, count: 12) + [8, 6]
    var other = arp
    other[11] = 1
    #expect(port(arp + [1]) == port(arp + [2]))
    #expect(port(arp) != port(other))
    #expect(port([]) == 0xc000)
  }
}
