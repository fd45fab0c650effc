import Kernel
import Overlay
import Testing
import Wire

@testable import Agent

/// What one host of the largest pool keeps in its kernel: an SA in each direction with every other host, and policies
/// for each kind of traffic with each of them. Only numbers differ between one such host and another.
struct ScalePool: CustomTestStringConvertible {
  static let peers = 63

  let isV6: Bool
  /// None: all encrypted networks use VXLAN, which has one port.
  let networksOfGRE: Int

  static let all = [false, true].flatMap { isV6 in
    [0, 10].map { ScalePool(isV6: isV6, networksOfGRE: $0) }
  }

  var testDescription: String { "\(family), \(traffic)" }
  var family: String { isV6 ? "IPv6" : "IPv4" }
  var traffic: String { networksOfGRE == 0 ? "VXLAN" : "VXLAN and \(networksOfGRE) of GRE" }

  // MARK: Names

  func greKeys() throws -> Set<VNI> { Set(try (0..<networksOfGRE).map { try .test(0x1_0001 + UInt32($0)) }) }

  /// Ends between this host and each other one.
  func ends() throws -> [TunnelEnds] {
    let local = try address(1)
    return try (0..<Self.peers).map { TunnelEnds(local: local, remote: try address(2 + $0)) }
  }

  private func address(_ number: Int) throws -> VTEP {
    try .test(isV6 ? "2001:db8::" + String(number, radix: 16) : "192.0.2.\(number)")
  }

  /// The SPI of both directions with this peer. Each epoch has SPIs of its own.
  static func spi(epoch: Int, peer: Int) throws -> SPI {
    try #require(SPI(UInt32(0x5afe_0000 + 0x100 * epoch + peer)))
  }

  /// Another one for each SA, as the kernel is given nothing twice.
  static func key(epoch: Int, peer: Int, isInbound: Bool) -> [UInt8] {
    [UInt8(epoch), UInt8(peer), isInbound ? 1 : 0] + [UInt8](repeating: 0x5a, count: XFRMState.keyLength - 3)
  }

  /// All policies with the SAs of an epoch.
  func policies(epoch: Int) throws -> ProtectionPolicies {
    var policies = ProtectionPolicies(greKeys: try greKeys())
    for (index, ends) in try ends().enumerated() {
      policies.outbound[ends] = try Self.spi(epoch: epoch, peer: index)
      policies.inbound.insert(ends)
    }
    return policies
  }
}

// MARK: The same for the program ip

extension ScalePool {
  /// Of both directions and all peers.
  func statesForIP(epoch: Int) throws -> [String] {
    try ends().enumerated().flatMap { index, ends in
      try [true, false].map { isInbound in
        let (source, destination) = isInbound ? (ends.remote, ends.local) : (ends.local, ends.remote)
        let key = Self.key(epoch: epoch, peer: index, isInbound: isInbound)
        return "xfrm state add \(try nameForIP(source, destination, epoch: epoch, peer: index)) "
          + "reqid \(XFRMMark.requestID) mode transport flag esn replay-window \(XFRMState.replayWindow) "
          + "aead \(XFRMState.algorithm) 0x\(Hex.string(key)) \(XFRMState.icvLength)"
      }
    }
  }

  func removalForIP(epoch: Int) throws -> [String] {
    try ends().enumerated().flatMap { index, ends in
      [
        "xfrm state delete \(try nameForIP(ends.remote, ends.local, epoch: epoch, peer: index))",
        "xfrm state delete \(try nameForIP(ends.local, ends.remote, epoch: epoch, peer: index))",
      ]
    }
  }

  private func nameForIP(_ source: VTEP, _ destination: VTEP, epoch: Int, peer: Int) throws -> String {
    "src \(source) dst \(destination) proto esp spi 0x\(String(try Self.spi(epoch: epoch, peer: peer).value, radix: 16))"
  }

  static func forIP(_ policies: [XFRMPolicy], _ verb: String) -> [String] {
    policies.map { policy in
      let traffic =
        switch policy.traffic {
        case .udp(let port): "proto udp dport \(port)"
        case .gre(let key): "proto gre key \(key)"
        }
      let direction = policy.direction == .input ? "in" : "out"
      switch policy.action {
      case .block(let isV6):
        let any = isV6 ? "::/0" : "0.0.0.0/0"
        return "xfrm policy \(verb) src \(any) dst \(any) \(traffic) dir \(direction) "
          + "priority \(XFRMMark.blockPriority) action block"
      case .protect(let source, let destination, let spi):
        let spi = spi.map { " spi 0x" + String($0, radix: 16) } ?? ""
        return "xfrm policy \(verb) src \(source) dst \(destination) \(traffic) dir \(direction) "
          + "priority \(XFRMMark.protectPriority) "
          + "tmpl src \(source) dst \(destination) proto esp\(spi) reqid \(XFRMMark.requestID) mode transport"
      }
    }
  }
}
