import Testing
import Wire

@testable import Registry

@Suite struct VIFLivenessTests {
  private func attached(mac: MACAddress? = nil) -> Registry {
    var registry = Registry.started(1)
    _ = registry.attach(vif: "vif1.0", network: net(1), isNetback: true, mac: mac, vm: nil, now: at(0))
    return registry
  }

  @Test func aMACThatBecomesKnownAfterTheCarrierRoseIsLive() {
    var registry = attached()
    _ = registry.carrier(vif: "vif1.0", isUp: true, isChange: true, now: at(10))
    #expect(registry.owner(of: mac(1)) == nil)
    _ = registry.attach(vif: "vif1.0", network: net(1), isNetback: true, mac: mac(1), vm: "web", now: at(20))
    #expect(registry.owner(of: mac(1)) == hostID(1))
    #expect(registry.localPort(net(1), mac(1)) == "vif1.0")
  }

  @Test func aMACThatBecomesKnownWhileTheCarrierWasFoundUpIsNotLive() {
    var registry = attached()
    _ = registry.carrier(vif: "vif1.0", isUp: true, isChange: false, now: at(10))
    _ = registry.attach(vif: "vif1.0", network: net(1), isNetback: true, mac: mac(1), vm: "web", now: at(20))
    #expect(registry.owner(of: mac(1)) == nil)
  }

  @Test func aRiseThatFellAgainCountsForNothing() {
    var registry = attached()
    _ = registry.carrier(vif: "vif1.0", isUp: true, isChange: true, now: at(10))
    _ = registry.carrier(vif: "vif1.0", isUp: false, isChange: true, now: at(15))
    _ = registry.attach(vif: "vif1.0", network: net(1), isNetback: true, mac: mac(1), vm: "web", now: at(20))
    #expect(registry.owner(of: mac(1)) == nil)
  }

  @Test func aRiseCountsOnceForTheMACThatWasUnknown() {
    var registry = attached()
    _ = registry.carrier(vif: "vif1.0", isUp: true, isChange: true, now: at(10))
    _ = registry.attach(vif: "vif1.0", network: net(1), isNetback: true, mac: mac(1), vm: "web", now: at(20))
    _ = registry.attach(vif: "vif1.0", network: net(1), isNetback: true, mac: mac(2), vm: "web", now: at(30))
    #expect(registry.owner(of: mac(2)) == nil)
  }

  @Test func aVIFIsAllLiveOnlyWhileEachOfItsMACsIsLiveOnIt() {
    var registry = attached(mac: mac(1))
    #expect(!registry.isAllLive(vif: "vif1.0"))
    _ = registry.frame(vif: "vif1.0", mac: mac(2), ips: [], now: at(10))
    #expect(!registry.isAllLive(vif: "vif1.0"), "the declared MAC has not been seen yet")
    _ = registry.frame(vif: "vif1.0", mac: mac(1), ips: [], now: at(20))
    #expect(registry.isAllLive(vif: "vif1.0"))
    #expect(registry.vifs(of: net(1), having: mac(2)) == ["vif1.0"])
    _ = registry.attach(vif: "vif2.0", network: net(1), isNetback: true, mac: nil, vm: nil, now: at(30))
    _ = registry.frame(vif: "vif2.0", mac: mac(2), ips: [], now: at(30))
    #expect(!registry.isAllLive(vif: "vif1.0"), "one of its MACs is live on another VIF")
    #expect(registry.isAllLive(vif: "vif2.0"))
    #expect(!registry.isAllLive(vif: "vif9.0"))
  }
}
