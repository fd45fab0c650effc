import Overlay
import Testing
import Wire

@Suite struct NameTests {
  @Test func deviceNamesFitTheKernel() throws {
    #expect(OverlayNames.vxlan(try #require(VNI(0xff_ffff))) == "wx16777215")
  }

  @Test func theMACsOfDevicesAreLocalStationsAndDifferByNetworkHostAndDevice() {
    var seen: Set<MACAddress> = []
    for network in 0..<50 as Range<UInt64> {
      for host in 0..<50 as Range<UInt64> {
        for device in [OverlayNames.Device.bridge, .tunnel] {
          let mac = OverlayNames.mac(
            device, network: NetworkID(high: 7, low: network), host: HostID(high: host, low: 9))
          #expect(mac.isStation && mac.octets[0] & 2 == 2)
          seen.insert(mac)
        }
      }
    }
    #expect(seen.count == 5000)
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
