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

  private var traffic: [XFRMPolicy.Traffic] {
    [.udp(port: OverlayNames.protectedVXLANPort)] + greKeys.sorted().map { .gre(key: $0.value) }
  }

  /// Wide ones, any to any: they also stop what goes to hosts that nobody knows.
  var blocks: [XFRMPolicy] {
    traffic.flatMap { kind in
      [false, true].flatMap { isV6 in
        [XFRMPolicy.Direction.output, .input].map {
          XFRMPolicy(direction: $0, traffic: kind, action: .block(isV6: isV6))
        }
      }
    }
  }

  /// What lets frames out between these ends; empty as long as there is no SA to send by.
  func outbound(_ ends: TunnelEnds) -> [XFRMPolicy] {
    guard let spi = outbound[ends] else { return [] }
    return traffic.map {
      XFRMPolicy(
        direction: .output, traffic: $0,
        action: .protect(source: ends.local, destination: ends.remote, spi: spi.value))
    }
  }

  /// What lets frames in between these ends.
  func inbound(_ ends: TunnelEnds) -> [XFRMPolicy] {
    guard inbound.contains(ends) else { return [] }
    return traffic.map {
      XFRMPolicy(
        direction: .input, traffic: $0, action: .protect(source: ends.remote, destination: ends.local, spi: nil))
    }
  }

  /// All that should stand, blocks first.
  var wanted: [XFRMPolicy] {
    blocks + outbound.keys.flatMap { outbound($0) } + inbound.flatMap { inbound($0) }
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
