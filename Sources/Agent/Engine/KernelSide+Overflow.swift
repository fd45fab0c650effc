import Control
import Kernel
import Overlay
import Registry
import Wire

// What guests send faster than the packet path in user space takes it finds no room at the TAP of its network. Only the
// kernel counts it, for as long as the device lives.
extension KernelSide {
  /// Such frames of this network, as the kernel counts them now.
  func tapOverflow(of id: NetworkID) -> UInt64 {
    guard let tap = tap(of: id), let link = try? network.link(index: tap) else { return 0 }
    return link.transmitDrops
  }

  /// Such frames of all networks, as these links show them.
  func tapOverflows(_ links: some Sequence<Link>) -> [VNI: UInt64] {
    var counts: [VNI: UInt64] = [:]
    for link in links where link.tap != nil && network(ofDevice: link.index) != nil {
      if let vni = OverlayNames.vni(ofTAP: link.name) { counts[vni] = link.transmitDrops }
    }
    return counts
  }
}

extension API.Drop {
  /// Told with the reasons that the packet path counts itself.
  static func tapOverflow(_ count: UInt64) -> API.Drop {
    API.Drop(
      reason: "tapOverflow", count: count,
      message:
        "Guests sent faster than this host encrypts, so frames were lost before the packet path had them (counted since the network's TAP was made)."
    )
  }
}
