import Glibc
import Kernel
import Namespaces
import Testing
import Wire

@Suite struct PolicyTests {
  private static let v4 = (a: "192.0.2.1", b: "192.0.2.2")
  private static let v6 = (a: "2001:db8::1", b: "2001:db8::2")

  private func protect(
    _ direction: XFRMPolicy.Direction, _ traffic: XFRMPolicy.Traffic = .udp(port: 7679), spi: UInt32? = nil,
    isV6: Bool = false
  ) throws -> XFRMPolicy {
    let ends = isV6 ? Self.v6 : Self.v4
    let (a, b) = (try VTEP.test(ends.a), try VTEP.test(ends.b))
    return XFRMPolicy(
      direction: direction, traffic: traffic,
      action: direction == .output
        ? .protect(source: a, destination: b, spi: spi) : .protect(source: b, destination: a, spi: spi))
  }

  private func block(
    _ direction: XFRMPolicy.Direction, _ traffic: XFRMPolicy.Traffic = .udp(port: 7679), isV6: Bool = false
  ) -> XFRMPolicy { XFRMPolicy(direction: direction, traffic: traffic, action: .block(isV6: isV6)) }

  private func all() throws -> [XFRMPolicy] {
    var all: [XFRMPolicy] = []
    for isV6 in [false, true] {
      for traffic in [XFRMPolicy.Traffic.udp(port: 7679), .gre(key: 77), .gre(key: 0xab_cdef)] {
        all += [block(.input, traffic, isV6: isV6), block(.output, traffic, isV6: isV6)]
        all.append(try protect(.input, traffic, isV6: isV6))
        all.append(try protect(.output, traffic, spi: 0x1234_5678, isV6: isV6))
      }
    }
    return all
  }

  private func errors(_ results: [(index: Int, error: KernelError)]) -> [String] {
    results.map { "\($0.index): \($0.error)" }
  }

  @Test func everyKindOfPolicyReadsBackAsItWasMade() throws {
    try Namespace().run {
      let kernel = try KernelXFRM()
      let wanted = try all()
      #expect(errors(kernel.replace(wanted)) == [])
      #expect(Set(try kernel.policies()) == Set(wanted))
      #expect(errors(kernel.replace(wanted)) == [], "done twice it changes nothing")
      #expect(try kernel.policies().count == wanted.count)
      #expect(try kernel.removeStrangePolicies() == 0)
      #expect(errors(kernel.remove(wanted)) == [])
      #expect(try sh("ip xfrm policy") == "")
      #expect(errors(kernel.remove(wanted)) == [], "what is absent is fine")
    }
  }

  @Test func theIPProgramShowsWhatIsMeant() throws {
    try Namespace().run {
      let kernel = try KernelXFRM()
      _ = kernel.replace([block(.output, .gre(key: 0x0001_0002)), try protect(.output, spi: 0xabcd_ef01)])
      let shown = try sh("ip xfrm policy").replacing("\t", with: "")
      #expect(
        shown.contains(
          """
          src 192.0.2.1/32 dst 192.0.2.2/32 proto udp dport 7679 \n\
          dir out priority 22341 ptype main \n\
          tmpl src 192.0.2.1 dst 192.0.2.2
          proto esp spi 0xabcdef01 reqid 1464157780 mode transport
          """), "\(shown)")
      #expect(
        shown.contains("src 0.0.0.0/0 dst 0.0.0.0/0 proto gre key 65538 \ndir out action block priority 22342"),
        "\(shown)")
    }
  }

  @Test func anOutboundPolicyIsTurnedToAnotherSPIInItsPlace() throws {
    try Namespace().run {
      let kernel = try KernelXFRM()
      let old = try protect(.output, spi: 0x100)
      let new = try protect(.output, spi: 0x200)
      _ = kernel.replace([block(.output), old])
      let monitor = try XFRMMonitor()
      #expect(errors(kernel.replace([new])) == [])
      #expect(Set(try kernel.policies()) == [block(.output), new])
      #expect(try monitor.receive() == [.policyChanged(new)], "one notice of an update and none of a removal")
    }
  }

  @Test func blockAndProtectionOfOneTrafficStandBesideEachOther() throws {
    try Namespace().run {
      let kernel = try KernelXFRM()
      _ = kernel.replace([block(.output), try protect(.output, spi: 0x100)])
      #expect(errors(kernel.remove([try protect(.output, spi: 0x999)])) == [], "the SPI is not what it is found by")
      #expect(try kernel.policies() == [block(.output)])
    }
  }

  @Test func thePoliciesOfOthersAreNeitherListedNorReplacedNorRemoved() throws {
    try Namespace().run {
      let kernel = try KernelXFRM()
      // With our selectors, but without our marks.
      try sh(
        """
        ip xfrm policy add src 192.0.2.1 dst 192.0.2.2 proto udp dport 7679 dir out priority 22341 \
        tmpl src 192.0.2.1 dst 192.0.2.2 proto esp reqid 7 mode transport
        ip xfrm policy add src 0.0.0.0/0 dst 0.0.0.0/0 proto udp dport 7679 dir out action block priority 22343
        ip xfrm policy add src 198.51.100.0/24 dst 192.0.2.0/24 dir in action block priority 22342
        ip xfrm policy add src 0.0.0.0/0 dst 0.0.0.0/0 proto tcp dport 7679 dir out action block priority 22342
        """)
      let before = try sh("ip xfrm policy")
      #expect(try kernel.policies() == [])
      let results = kernel.replace([try protect(.output, spi: 0x100), block(.output), block(.input)])
      #expect(results.map(\.index) == [0, 1])
      #expect(results.allSatisfy { $0.error.code == EEXIST && $0.error.description.contains("not Weft's") })
      #expect(results.allSatisfy { $0.error.description.contains("look with 'ip xfrm policy'") })
      #expect(kernel.remove([try protect(.output), block(.output)]).map(\.index) == [0, 1])
      #expect(try kernel.removeStrangePolicies() == 0)
      #expect(errors(kernel.remove([block(.input)])) == [])
      #expect(try sh("ip xfrm policy") == before)
    }
  }

  @Test(arguments: [
    "priority 1 tmpl src 192.0.2.1 dst 192.0.2.2 proto esp reqid 1464157780 mode transport",
    "priority 22341 tmpl src 192.0.2.1 dst 192.0.2.2 proto esp reqid 1464157780 mode transport level use",
    "priority 22341 tmpl src 192.0.2.1 dst 192.0.2.2 proto esp reqid 1464157780 mode tunnel",
    "priority 22341 tmpl src 192.0.2.1 dst 192.0.2.2 proto ah reqid 1464157780 mode transport",
    "priority 22341 flag icmp tmpl src 192.0.2.1 dst 192.0.2.2 proto esp reqid 1464157780 mode transport",
    "action block priority 22341 tmpl src 192.0.2.1 dst 192.0.2.2 proto esp reqid 1464157780 mode transport",
    """
    priority 22341 tmpl src 192.0.2.1 dst 192.0.2.2 proto esp reqid 1464157780 mode transport \
    tmpl src 192.0.2.1 dst 192.0.2.2 proto ah reqid 1 mode transport
    """,
  ])
  func aPolicyOfOursThatWasChangedByHandIsNotListedAndIsPutRight(change: String) throws {
    try Namespace().run {
      let kernel = try KernelXFRM()
      let wanted = try protect(.output)
      _ = kernel.replace([wanted])
      try sh("ip xfrm policy update src 192.0.2.1 dst 192.0.2.2 proto udp dport 7679 dir out \(change)")
      #expect(try kernel.policies() == [])
      #expect(errors(kernel.replace([wanted])) == [])
      #expect(try kernel.policies() == [wanted])
      #expect(try sh("ip xfrm policy | grep -c 'dir out'") == "1\n")
    }
  }

  @Test func aBlockThatWasMadeToLetPassIsNotListedAndIsPutRight() throws {
    try Namespace().run {
      let kernel = try KernelXFRM()
      _ = kernel.replace([block(.input)])
      try sh(
        "ip xfrm policy update src 0.0.0.0/0 dst 0.0.0.0/0 proto udp dport 7679 dir in action allow priority 22342")
      #expect(try kernel.policies() == [])
      #expect(errors(kernel.replace([block(.input)])) == [])
      #expect(try kernel.policies() == [block(.input)])
    }
  }

  @Test func whatIsMarkedAsOursInAFormThatNobodyWantsCanBeRemoved() throws {
    try Namespace().run {
      let kernel = try KernelXFRM()
      _ = kernel.replace([block(.input)])
      try sh(
        """
        ip xfrm policy add src 192.0.2.0/24 dst 192.0.2.2 proto udp dport 7679 dir out \
        tmpl src 192.0.2.1 dst 192.0.2.2 proto esp reqid 1464157780 mode transport
        ip xfrm policy add src 192.0.2.0/24 dst 192.0.2.3 dir out \
        tmpl src 192.0.2.1 dst 192.0.2.3 proto esp reqid 9 mode transport
        """)
      #expect(try kernel.removeStrangePolicies() == 1)
      #expect(try kernel.policies() == [block(.input)])
      #expect(try sh("ip xfrm policy").contains("reqid 9"))
    }
  }

  @Test func thousandsOfPoliciesAreSetAndListed() throws {
    try Namespace().run {
      let kernel = try KernelXFRM()
      var wanted: [XFRMPolicy] = []
      for host in 1...63 {
        let (own, peer) = (VTEP.v4(0xc000_0201), VTEP.v4(0xc633_6400 + UInt32(host)))
        for key in 1...10 {
          let traffic = XFRMPolicy.Traffic.gre(key: UInt32(key))
          wanted.append(
            XFRMPolicy(
              direction: .output, traffic: traffic,
              action: .protect(source: own, destination: peer, spi: UInt32(host * 1000))))
          wanted.append(
            XFRMPolicy(direction: .input, traffic: traffic, action: .protect(source: peer, destination: own, spi: nil)))
        }
      }
      #expect(errors(kernel.replace(wanted)) == [])
      #expect(Set(try kernel.policies()) == Set(wanted))
    }
  }

  @Test func aStateThatThisKernelCannotHaveIsRefusedWithASentence() throws {
    try Namespace().run {
      let kernel = try KernelXFRM()
      let (a, b) = (try VTEP.test("192.0.2.1"), try VTEP.test("2001:db8::2"))
      for bad in [
        XFRMState(source: a, destination: a, spi: 256, key: [1, 2, 3]),
        XFRMState(source: a, destination: a, spi: 255, key: [UInt8](repeating: 1, count: 36)),
        XFRMState(source: a, destination: b, spi: 256, key: [UInt8](repeating: 1, count: 36)),
        XFRMState(
          source: a, destination: a, spi: 256, key: [UInt8](repeating: 1, count: 36),
          encapsulation: XFRMEncapsulation(source: 4500, destination: 7678)),
      ] {
        let error = #expect(throws: KernelError.self) { try kernel.add(bad) }
        #expect(error?.code == EINVAL)
      }
      #expect(try kernel.states().isEmpty)
      try kernel.remove(source: a, destination: a, spi: 256)
    }
  }

  @Test func aKeyIsNeverShown() {
    let state = XFRMState(source: .v4(1), destination: .v4(2), spi: 256, key: [UInt8](repeating: 0xee, count: 36))
    var text = ""
    dump(state, to: &text)
    for shown in ["\(state)", String(reflecting: state), text] {
      #expect(!shown.contains("238") && !shown.contains("ee"))
    }
  }
}
