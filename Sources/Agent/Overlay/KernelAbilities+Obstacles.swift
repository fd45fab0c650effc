import Kernel
import Overlay

extension KernelAbilities {
  /// The ways of the kernel to carry frames that this one does not have, each with sentences that say what is missing. Frames are
  /// encrypted only where they cannot leave in clear meanwhile: ESP counts with at least one of the two locks.
  ///
  /// - Parameter isV6: whether the underlay is IPv6.
  package func obstacles(isV6: Bool) -> [Mechanism: String] {
    let gre = isV6 ? ip6gretap : gretap
    let protection = protection(isV6: isV6)
    var noESP = protection.esp?.description
    if noESP == nil, let policies = protection.policyLock, let filter = protection.filterLock {
      noESP = "Neither lock against frames in clear holds. \(policies) \(filter)"
    }
    var obstacles: [Mechanism: String] = [:]
    obstacles[.kernelVXLANInClear] = vxlan?.description
    obstacles[.kernelGREInClear] = gre?.description
    obstacles[.kernelVXLANInESP] = vxlan?.description ?? noESP
    obstacles[.kernelGREInESP] = gre?.description ?? noESP
    return obstacles
  }
}
