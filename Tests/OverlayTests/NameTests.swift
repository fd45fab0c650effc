import Overlay
import Testing
import Wire

@Suite struct NameTests {
  @Test func deviceNamesFitTheKernel() throws {
    #expect(OverlayNames.vxlan(try #require(VNI(0xff_ffff))) == "wx16777215")
    let last = HostID(high: .max, low: .max)
    for attempt in 0..<OverlayNames.greAttempts {
      #expect(OverlayNames.gre(try #require(VNI(0xff_ffff)), peer: last, attempt: attempt) == "wr9zldr.fs8wfsv")
    }
  }

  @Test func theNameOfAGREDeviceTakesOtherBitsOfTheIDAtEachAttempt() throws {
    let vni = try #require(VNI(77))
    let hosts = [HostID(high: 1 << 29, low: 0), HostID(high: 0, low: 1 << 58), HostID(high: 0, low: 1 << 23)]
    for (host, one) in zip(hosts, 0...) {
      let names = (0..<OverlayNames.greAttempts).map { OverlayNames.gre(vni, peer: host, attempt: $0) }
      #expect(names == (0..<3).map { $0 == one ? "wr25.1" : "wr25.0" })
    }
    // The boundary between the words of the ID lies inside the second attempt.
    #expect(OverlayNames.gre(vni, peer: HostID(high: 1, low: 0), attempt: 1) == "wr25." + String(64, radix: 36))
  }

  @Test func theMACsOfDevicesAreLocalStationsAndDifferByNetworkHostAndDevice() {
    var seen: Set<MACAddress> = []
    for network in 0..<50 as Range<UInt64> {
      for host in 0..<50 as Range<UInt64> {
        for device in [OverlayNames.Device.bridge, .tunnel, .tunnelTo(HostID(high: host, low: 3))] {
          let mac = OverlayNames.mac(
            device, network: NetworkID(high: 7, low: network), host: HostID(high: host, low: 9))
          #expect(mac.isStation && mac.octets[0] & 2 == 2)
          seen.insert(mac)
        }
      }
    }
    #expect(seen.count == 7500)
    let again = OverlayNames.mac(.bridge, network: NetworkID(high: 7, low: 3), host: HostID(high: 3, low: 9))
    #expect(seen.contains(again), "the same after a restart")
  }

  @Test func anAliasIsReadBackAndOthersAreNot() {
    let alias = OverlayAlias(pool: "lab", network: PlanTests.blue)
    #expect(OverlayAlias(alias.description) == alias)
    let odd = OverlayAlias(pool: "a:b", network: PlanTests.blue)
    #expect(OverlayAlias(odd.description) == odd)
    for text in ["", "weft:", "weft:lab", "weft:lab:nothing", "lab:\(PlanTests.blue)", "weft:\(PlanTests.blue)"] {
      #expect(OverlayAlias(text) == nil, "\(text)")
    }
  }
}
