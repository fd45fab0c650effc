import Kernel
import Namespaces
import Testing
import Wire

@Suite struct XFRMMonitorTests {
  private let block = XFRMPolicy(direction: .input, traffic: .udp(port: 7679), action: .block(isV6: false))

  @Test func whatOthersDoToOurPoliciesIsReportedAndWhatWeDoIsNot() throws {
    try Namespace().run {
      let kernel = try KernelXFRM()
      let monitor = try XFRMMonitor(ignoring: kernel)
      let whole = try XFRMMonitor()
      _ = kernel.replace([block])
      #expect(try whole.receive() == [.policyChanged(block)])
      #expect(try monitor.receive() == [])
      try sh("ip xfrm policy delete src 0.0.0.0/0 dst 0.0.0.0/0 proto udp dport 7679 dir in")
      #expect(try monitor.receive() == [.policyChanged(block)])
      _ = kernel.replace([block])
      try sh(
        "ip xfrm policy update src 0.0.0.0/0 dst 0.0.0.0/0 proto udp dport 7679 dir in action allow priority 22342")
      #expect(try monitor.receive() == [.policyChanged(nil)])
      _ = kernel.replace([block])
      try sh("ip xfrm policy flush")
      #expect(try monitor.receive() == [.everything])
    }
  }

  @Test func thePoliciesOfOthersAreNotReported() throws {
    try Namespace().run {
      let monitor = try XFRMMonitor()
      try sh(
        """
        ip xfrm policy add src 192.0.2.1 dst 192.0.2.2 dir out tmpl src 192.0.2.1 dst 192.0.2.2 proto esp reqid 7
        ip xfrm policy delete src 192.0.2.1 dst 192.0.2.2 dir out
        """)
      #expect(try monitor.receive() == [])
    }
  }

  @Test func lostEventsAreReported() throws {
    try Namespace().run {
      let kernel = try KernelXFRM()
      let monitor = try XFRMMonitor(receiveBuffer: 4096)
      for _ in 0..<100 { _ = kernel.replace([block]) }
      var events: [XFRMEvent] = []
      while true {
        let some = try monitor.receive()
        if some.isEmpty { break }
        events += some
      }
      #expect(events.contains(.overrun) && events.contains(.policyChanged(block)))
    }
  }

  @Test func settingsThatLetTrafficPassByPoliciesAreNamed() throws {
    try Namespace().run {
      try sh("ip link add eth0 type veth peer name eth1")
      #expect(KernelXFRM.underlayBypass(interface: "eth0") == nil)
      try sh("echo 1 > /proc/sys/net/ipv4/conf/eth0/disable_xfrm")
      #expect(KernelXFRM.underlayBypass(interface: "eth0")?.contains("net/ipv4/conf/eth0/disable_xfrm=0") == true)
      try sh(
        "echo 0 > /proc/sys/net/ipv4/conf/eth0/disable_xfrm && echo 1 > /proc/sys/net/ipv4/conf/all/disable_policy")
      #expect(KernelXFRM.underlayBypass(interface: "eth0")?.contains("net/ipv4/conf/all/disable_policy=0") == true)
      try sh(
        "echo 0 > /proc/sys/net/ipv4/conf/all/disable_policy && echo 1 > /proc/sys/net/ipv6/conf/eth0/disable_policy")
      #expect(KernelXFRM.underlayBypass(interface: "eth0")?.contains("net/ipv6/conf/eth0/disable_policy=0") == true)
    }
  }
}
