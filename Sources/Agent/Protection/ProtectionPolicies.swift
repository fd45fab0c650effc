import Kernel
import Overlay
import Wire

/// The two ends of the tunnels to one host.
struct TunnelEnds: Hashable, Sendable {
  var local: VTEP
  var remote: VTEP
}

/// The IPsec policies that keep encrypted networks closed, and open them to the hosts that keys stand with.
struct ProtectionPolicies {
  /// The GRE keys that belong to encrypted networks. VXLAN of encrypted networks needs none: its port is its own.
  var greKeys: Set<VNI> = []
  /// By which SA frames go out, by ends.
  var outbound: [TunnelEnds: SPI] = [:]
  /// Between which ends frames may come in.
  var inbound: Set<TunnelEnds> = []

  /// All that should stand. Blocks are wide, any to any: they also stop what goes to hosts that nobody knows.
  var wanted: Set<XFRMPolicy> {
    let traffic = [XFRMPolicy.Traffic.udp(port: OverlayNames.protectedVXLANPort)] + greKeys.map { .gre(key: $0.value) }
    var policies: Set<XFRMPolicy> = []
    for kind in traffic {
      for isV6 in [false, true] {
        policies.insert(XFRMPolicy(direction: .output, traffic: kind, action: .block(isV6: isV6)))
        policies.insert(XFRMPolicy(direction: .input, traffic: kind, action: .block(isV6: isV6)))
      }
      for (ends, spi) in outbound {
        policies.insert(
          XFRMPolicy(
            direction: .output, traffic: kind,
            action: .protect(source: ends.local, destination: ends.remote, spi: spi.value)))
      }
      for ends in inbound {
        policies.insert(
          XFRMPolicy(
            direction: .input, traffic: kind,
            action: .protect(source: ends.remote, destination: ends.local, spi: nil)))
      }
    }
    return policies
  }
}

extension XFRMPolicy {
  /// What it is about; the kernel has one policy for each.
  struct Subject: Hashable {
    var direction: Direction
    var traffic: Traffic
    /// nil for a block.
    var source: VTEP?
    var destination: VTEP?
    var isV6: Bool
  }

  var subject: Subject {
    switch action {
    case .block(let isV6):
      Subject(direction: direction, traffic: traffic, source: nil, destination: nil, isV6: isV6)
    case .protect(let source, let destination, _):
      Subject(
        direction: direction, traffic: traffic, source: source, destination: destination, isV6: source.isV6)
    }
  }

  var isBlock: Bool {
    switch action {
    case .block: true
    case .protect: false
    }
  }
}
