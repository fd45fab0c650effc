import Kernel
import Testing
import Wire

@testable import Agent

@Suite struct ProtectionPoliciesTests {
  private static let own: VTEP = .v4(0xc000_0201)
  private static let other: VTEP = .v4(0xc000_0202)
  private static let ends = TunnelEnds(local: own, remote: other)

  private static func blocks(_ traffic: XFRMPolicy.Traffic) -> Set<XFRMPolicy> {
    [
      XFRMPolicy(direction: .output, traffic: traffic, action: .block(isV6: false)),
      XFRMPolicy(direction: .output, traffic: traffic, action: .block(isV6: true)),
      XFRMPolicy(direction: .input, traffic: traffic, action: .block(isV6: false)),
      XFRMPolicy(direction: .input, traffic: traffic, action: .block(isV6: true)),
    ]
  }

  @Test("Without any keys everything is blocked, in both directions and families") func closed() {
    #expect(Set(ProtectionPolicies().wanted) == Self.blocks(.udp(port: 7679)))
  }

  @Test("Each GRE key of an encrypted network has blocks of its own") func closedGRE() throws {
    let policies = ProtectionPolicies(greKeys: [try #require(VNI(77))])
    #expect(Set(policies.wanted) == Self.blocks(.udp(port: 7679)).union(Self.blocks(.gre(key: 77))))
  }

  @Test("An SA opens one direction to one host, for every kind of traffic, and the blocks stay") func opened() throws {
    var policies = ProtectionPolicies(greKeys: [try #require(VNI(77))])
    let closed = Set(policies.wanted)
    policies.outbound[Self.ends] = SPI(0x1234)
    let outbound = Set(policies.wanted).subtracting(closed)
    let out = XFRMPolicy.Action.protect(source: Self.own, destination: Self.other, spi: 0x1234)
    #expect(
      outbound == [
        XFRMPolicy(direction: .output, traffic: .udp(port: 7679), action: out),
        XFRMPolicy(direction: .output, traffic: .gre(key: 77), action: out),
      ])
    policies.inbound.insert(Self.ends)
    let inbound = Set(policies.wanted).subtracting(closed).subtracting(outbound)
    let into = XFRMPolicy.Action.protect(source: Self.other, destination: Self.own, spi: nil)
    #expect(
      inbound == [
        XFRMPolicy(direction: .input, traffic: .udp(port: 7679), action: into),
        XFRMPolicy(direction: .input, traffic: .gre(key: 77), action: into),
      ])
    #expect(closed.isSubset(of: Set(policies.wanted)))
  }

  @Test("A policy that differs only in the SPI is about the same subject") func subject() {
    let first = XFRMPolicy(
      direction: .output, traffic: .gre(key: 1), action: .protect(source: Self.own, destination: Self.other, spi: 256))
    var second = first
    second.action = .protect(source: Self.own, destination: Self.other, spi: 257)
    #expect(first.subject == second.subject)
    second.direction = .input
    #expect(first.subject != second.subject)
  }
}
