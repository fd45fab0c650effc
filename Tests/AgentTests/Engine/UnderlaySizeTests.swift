import DataPath
import Registry
import Testing

/// What a network is said to need of the underlay is the size of the packets that the packet path in user space sends.
@Suite struct UnderlaySizeTests {
  private static let frameHeader = 14 + 4
  private static let udp = 8

  @Test(arguments: [(Encapsulation.vxlan, InnerHeader.Kind.vxlan), (.gre, .gre)])
  func aFullFrameWithATagIsAsLongAsTheNetworkNeeds(_ encapsulation: Encapsulation, _ kind: InnerHeader.Kind)
    throws
  {
    let sa = try OutboundSA(spi: 0x1000, material: [UInt8](repeating: 1, count: 36), threads: 1)
    let packet = UnsafeMutableRawPointer.allocate(byteCount: 16_384, alignment: 64)
    defer { packet.deallocate() }
    packet.initializeMemory(as: UInt8.self, repeating: 0, count: 16_384)
    for value in [576, 577, 578, 579] + Array(1380...1420) + [8997, 8998, 8999, 9000] {
      let payload = kind.size + Self.frameHeader + value
      let sealed = sa.seal(packet, payloadLength: payload, nextHeader: kind.nextHeader, thread: 0)
      let mtu = try NetworkMTU(value)
      for (isV6, ip) in [(false, 20), (true, 40)] {
        let needed = mtu.underlayNeeded(encapsulation: encapsulation, encryption: .required, isV6: isV6)
        #expect(ip + Self.udp + sealed == needed, "MTU \(value)")
      }
    }
  }
}
