import Namespaces
import Testing

@testable import DataPath

/// Large frames with VLAN tags go the whole way: out of a TAP, cut, sealed, opened, joined and into a TAP.
@Suite(.serialized) struct TaggedTests {
  private static let customer: UInt16 = 0x8100
  private static let service: UInt16 = 0x88a8

  @Test(arguments: [false, true], [[customer], [service, customer], [customer, customer]])
  func aLargeFrameKeepsItsTags(isIPv6: Bool, types: [UInt16]) throws {
    let pair = try PathPair()
    let (frames, arriving) = (try SuperFrames(pair.first), try TaggedFrames(pair.second))
    var frame = GuestFrame(isIPv6: isIPv6, payload: (0..<20 * 1300).map { UInt8(truncatingIfNeeded: $0 * 7 >> 3) })
    (frame.source, frame.destination) = (pair.first.guestMAC.octets, pair.second.guestMAC.octets)
    // Priority 5; VLANs 100, 101.
    frame.tags = types.enumerated().map { (type: $1, value: 0xa064 + UInt16($0)) }
    let before = (pair.first.traffic, pair.second.traffic)
    frames.send(frame, segment: 1300)
    let ethernet = Array(frame.bytes[..<frame.ethernetSize])
    var payload: [UInt8] = []
    let isWhole = try eventually {
      while let bytes = arriving.next() {
        guard bytes.starts(with: ethernet) else { continue }
        let layout = try bytes.withUnsafeBytes { try FrameLayout($0) }
        #expect(layout.tcpSequence == frame.sequence + UInt32(payload.count))
        payload += bytes[layout.payloadOffset..<layout.endOffset]
      }
      return payload.count >= frame.payload.count
    }
    #expect(isWhole && payload == frame.payload)
    #expect(pair.first.traffic.framesCut == before.0.framesCut + 1)
    #expect(eventually { pair.second.traffic.framesJoined > before.1.framesJoined })
    #expect(pair.carriedAll())
  }
}
