import Testing
import Wire

@testable import Registry

@Suite struct BindingTests {
  @Test func theOrderOfClaimsIsTotalSoThatAllHostsChooseTheSameOwner() {
    var contenders: [Contender] = []
    for number in 1...3 as ClosedRange<UInt64> {
      for sequence in 1...3 as ClosedRange<UInt64> {
        for flags in 0..<4 {
          contenders.append(
            Contender(
              host: hostID(number), isVisible: flags & 1 == 0, isBackedByXen: flags & 2 == 0,
              sequence: MobilitySequence(sequence)))
        }
      }
    }
    for (i, a) in contenders.enumerated() {
      for (j, b) in contenders.enumerated() where i != j {
        #expect(a.beats(b) != b.beats(a))
        for c in contenders where a.beats(b) && b.beats(c) { #expect(a.beats(c)) }
      }
    }
  }

  @Test func aReceiverFollowsTheClaimBackedByXenOverAHigherOneFromFrames() {
    var registry = Registry.started(1)
    var xen = TestOwner(6)
    var frames = TestOwner(5)
    registry.hear(xen.begin() + frames.begin())
    registry.hear([xen.claim(mac(1), .live(1, xen: true)), frames.claim(mac(1), .live(9))])
    #expect(registry.owner(of: mac(1)) == hostID(6))
    // Hidden, it owns nothing that a visible one claims.
    _ = registry.hostState(hostID(6), .dead, boot: bootOf(1), now: at(0))
    #expect(registry.owner(of: mac(1)) == hostID(5))
  }

  @Test func ofTwoEqualClaimsTheLowerHostOwns() {
    var registry = Registry.started(1)
    var high = TestOwner(6)
    var low = TestOwner(5)
    registry.hear(high.begin() + low.begin())
    registry.hear([high.claim(mac(1), .live(4)), low.claim(mac(1), .live(4))])
    #expect(registry.owner(of: mac(1)) == hostID(5))
    registry.hear([high.claim(mac(1), .live(5))])
    #expect(registry.owner(of: mac(1)) == hostID(6))
  }
}
