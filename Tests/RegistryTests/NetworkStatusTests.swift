import Testing
import Wire

@testable import Registry

@Suite struct NetworkStatusTests {
  @Test func aHostThatComplainsKeepsItsPlaceInTheFloodList() {
    var owner = TestOwner(5)
    var registry = Registry.started(1)
    registry.hear(owner.begin())
    registry.hear(owner.say(.network(net(1)), NetworkStatus(standing: .stands, hasVIF: true).bytes))
    #expect(registry.floodList(net(1)) == [hostID(5)])
    let complaint = NetworkStatus(standing: .complains("the underlay is too small"), hasVIF: true)
    let effects = registry.hear(owner.say(.network(net(1)), complaint.bytes))
    #expect(effects.contains(.networkChanged(net(1))), "the complaint is shown")
    #expect(!effects.contains(.floodChanged(net(1))))
    #expect(registry.floodList(net(1)) == [hostID(5)])
    let failure = NetworkStatus(standing: .fails("no bridge"), hasVIF: true)
    #expect(registry.hear(owner.say(.network(net(1)), failure.bytes)).contains(.floodChanged(net(1))))
    #expect(registry.floodList(net(1)).isEmpty)
  }

  @Test func aComplaintReadsBackAndAnOlderReleaseReadsThatTheNetworkStands() throws {
    let status = NetworkStatus(standing: .complains("one entry"), hasVIF: true)
    #expect(try NetworkStatus.read(status.bytes) == status)
    // What the release before this one looks at: field 1, where 1 is "stands", and field 3.
    let fields = try FieldTable(status.bytes)
    #expect(try fields.uint8(1, "standing") == 1)
    #expect(try fields.uint8(3, "VIF flag") == 1)
  }

  @Test func aLongComplaintIsCutAndStillRead() throws {
    let long = String(repeating: "é", count: 400)
    let status = NetworkStatus(standing: .complains(long), hasVIF: false)
    let read = try #require(try NetworkStatus.read(status.bytes))
    #expect(read.standing == .complains(String(repeating: "é", count: 120)))
    #expect(!read.takesFlood)
  }
}
