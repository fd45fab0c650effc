import Kernel
import Namespaces
import Testing
import Wire

@Suite struct UnderlayTests {
  private func withAddresses(_ body: (KernelNetwork) throws -> Void) throws {
    let other = try Namespace()
    let host = try Namespace()
    try host.connect("eth7", to: other, "peer", mtu: 1600)
    try host.connect("eth8", to: other, "peer8")
    try host.run {
      try sh("ip addr add 192.0.2.1/24 dev eth7 && ip addr add 192.0.2.2/24 dev eth7")
      try sh("ip addr add 2001:db8::1/64 dev eth7 nodad && ip addr add 2001:db8:1::8/64 dev eth8 nodad")
      try body(try KernelNetwork())
    }
  }

  @Test(arguments: [
    ("192.0.2.1", "192.0.2.1", "eth7", 1600), ("192.0.2.2", "192.0.2.2", "eth7", 1600),
    ("2001:db8::1", "2001:db8::1", "eth7", 1600), ("eth7", "192.0.2.1", "eth7", 1600),
    ("eth8", "2001:db8:1::8", "eth8", 1500),
  ])
  func anAddressOrAnInterfaceNamesTheUnderlay(text: String, address: String, name: String, mtu: Int) throws {
    try withAddresses { kernel in
      let found = try kernel.underlay(text)
      #expect(found.address == (try .test(address)) && found.name == name && found.mtu == mtu && found.isUp)
    }
  }

  @Test(arguments: ["192.0.2.99", "eth9", "lo", "224.0.0.1", "fe80::1", "", "not an address"])
  func whatIsNotOfThisHostIsRefusedWithASentenceThatListsWhatIs(text: String) throws {
    try withAddresses { kernel in
      let error = #expect(throws: KernelError.self) { _ = try kernel.underlay(text) }
      guard case .underlay(let sentence) = error else {
        Issue.record("\(String(describing: error))")
        return
      }
      if !["224.0.0.1", "fe80::1"].contains(text) { #expect(sentence.contains("192.0.2.1 on eth7"), "\(sentence)") }
    }
  }

  @Test func theMTUOfARouteIsThatOfTheRouteOrOfItsInterface() throws {
    try withAddresses { kernel in
      try sh("ip route add 198.51.100.0/24 via 192.0.2.9 mtu 1400")
      #expect(try kernel.routeMTU(to: try .test("192.0.2.9")) == 1600)
      #expect(try kernel.routeMTU(to: try .test("198.51.100.9")) == 1400)
      #expect(try kernel.routeMTU(to: try .test("203.0.113.9")) == nil)
      #expect(try kernel.routeMTU(to: try .test("2001:db8::9")) == 1600)
    }
  }

  private func addressOf(_ text: String, keeping current: String?) throws -> String {
    let finding = try KernelNetwork().findUnderlay(text, keeping: try current.map { try .test($0) })
    guard case .ready(let underlay) = finding else { return "pending" }
    return underlay.address.description
  }

  @Test func anAddressInUseIsKeptWhileItIsThereAndOnlyOneOfItsFamilyTakesItsPlace() throws {
    try withAddresses { kernel in
      #expect(try addressOf("eth7", keeping: "192.0.2.2") == "192.0.2.2")
      #expect(try addressOf("eth7", keeping: "2001:db8::1") == "2001:db8::1")
      #expect(try addressOf("eth7", keeping: "192.0.2.77") == "192.0.2.1")
      #expect(try addressOf("eth7", keeping: "2001:db8::77") == "2001:db8::1")
      try sh("ip addr flush dev eth7 scope global && ip addr add 2001:db8::1/64 dev eth7 nodad")
      let error = #expect(throws: KernelError.self) { _ = try addressOf("eth7", keeping: "192.0.2.1") }
      #expect("\(try #require(error))".contains("no IPv4 address"))
      #expect(try addressOf("eth7", keeping: nil) == "2001:db8::1")
    }
  }

  @Test func deprecatedAndTemporaryAddressesAreTakenOnlyIfThereIsNoOther() throws {
    try withAddresses { kernel in
      try sh("ip addr add 2001:db8:2::1/64 dev eth8 nodad")
      for (old, other) in [("2001:db8:1::8", "2001:db8:2::1"), ("2001:db8:2::1", "2001:db8:1::8")] {
        try sh(
          "ip addr change \(old)/64 dev eth8 preferred_lft 0 && ip addr change \(other)/64 dev eth8 preferred_lft forever"
        )
        #expect(try addressOf("eth8", keeping: nil) == other)
        #expect(try addressOf("eth8", keeping: old) == old, "it still works, so nothing moves")
      }
      try sh("ip addr del 2001:db8:1::8/64 dev eth8 && ip addr change 2001:db8:2::1/64 dev eth8 preferred_lft 0")
      #expect(try addressOf("eth8", keeping: nil) == "2001:db8:2::1")
    }
  }

  @Test func anAddressThatIsStillLookedForIsWaitedForAndADuplicateIsRefused() throws {
    let other = try Namespace()
    let host = try Namespace()
    try host.connect("eth7", to: other, "peer")
    try other.run { try sh("ip addr add 2001:db8::1/64 dev peer nodad") }
    try host.run {
      // So that it is looked for as long as the test looks, on any machine.
      try sh("echo 4 > /proc/sys/net/ipv6/conf/eth7/dad_transmits; ip addr add 2001:db8::2/64 dev eth7")
      #expect(try addressOf("eth7", keeping: nil) == "pending")
      #expect(try addressOf("2001:db8::2", keeping: nil) == "pending")
      let error = #expect(throws: KernelError.self) { _ = try KernelNetwork().underlay("eth7") }
      #expect("\(try #require(error))".contains("still looks"))
      try sh("for i in $(seq 150); do ip addr show dev eth7 tentative | grep -q inet6 || break; sleep 0.05; done")
      #expect(try addressOf("eth7", keeping: nil) == "2001:db8::2")

      try sh("echo 1 > /proc/sys/net/ipv6/conf/eth7/dad_transmits; ip addr add 2001:db8::1/64 dev eth7")
      try sh("for i in $(seq 100); do ip addr show dev eth7 | grep -q dadfailed && break; sleep 0.05; done")
      let refusal = #expect(throws: KernelError.self) { _ = try addressOf("2001:db8::1", keeping: nil) }
      #expect("\(try #require(refusal))".contains("Another machine"))
      #expect(try addressOf("eth7", keeping: nil) == "2001:db8::2", "the interface has another one")
    }
  }

  @Test(arguments: [("192.0.2.1", 24), ("2001:db8::1", 64)])
  func aNeighbourThatRemembersAnotherOwnerOfTheAddressLearnsTheRightOneByTheAnnouncement(
    address: String, prefix: Int
  ) throws {
    let neighbour = try Namespace()
    let host = try Namespace()
    try host.connect("eth7", to: neighbour, "peer")
    let v6 = address.contains(":")
    try neighbour.run {
      try sh("ip addr add \(v6 ? "2001:db8::2" : "192.0.2.2")/\(prefix) dev peer \(v6 ? "nodad" : "")")
      try sh("ip neigh replace \(address) lladdr 02:00:00:00:00:99 dev peer nud reachable")
    }
    var mac = ""
    try host.run {
      try sh("ip addr add \(address)/\(prefix) dev eth7 \(v6 ? "nodad" : "")")
      mac =
        try sh("ip -o link show eth7 | sed 's/.*ether //; s/ .*//'")
        .split(whereSeparator: \.isWhitespace).first.map(String.init) ?? ""
      let kernel = try KernelNetwork()
      try kernel.announce(try kernel.underlay("eth7"))
    }
    try neighbour.run {
      try sh("for i in $(seq 60); do ip neigh show \(address) dev peer | grep -q \(mac) && break; sleep 0.05; done")
      #expect(try sh("ip neigh show \(address) dev peer").contains(mac))
    }
  }
}
