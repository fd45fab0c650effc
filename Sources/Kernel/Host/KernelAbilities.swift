import Wire

/// What this kernel can do, found by trying in a network namespace that is thrown away, so nothing of the host's is
/// touched. Modules that it needs are loaded by the trial.
package struct KernelAbilities: Equatable, Sendable {
  /// nil if it can; else why not, in the kernel's words.
  package var vxlan: KernelError?
  package var gretap: KernelError?
  /// GRE over IPv6.
  package var ip6gretap: KernelError?
  /// A filter that keeps what guests send to the host away from it. Without it only the settings of the bridge do.
  package var inputFilter: KernelError?
  /// What protects encrypted networks over IPv4 and over IPv6.
  package var overIPv4 = Protection()
  package var overIPv6 = Protection()
  /// The namespace for trying could not be made: nothing is known.
  package var trial: KernelError?

  /// Each tried with a frame through every kind of tunnel that the kernel has; nil if it works, else what was seen.
  package struct Protection: Equatable, Sendable {
    /// ESP by XFRM with `rfc4106(gcm(aes))`: a frame leaves encrypted, and none in clear.
    package var esp: KernelError?
    /// XFRM policies alone let no frame out and none in while no SA stands.
    package var policyLock: KernelError?
    /// The packet filter alone does the same.
    package var filterLock: KernelError?
  }

  package func protection(isV6: Bool) -> Protection { isV6 ? overIPv6 : overIPv4 }

  /// Over IPv4, or over IPv6 if it fails only there.
  package var esp: KernelError? { overIPv4.esp ?? overIPv6.esp }
  package var policyLock: KernelError? { overIPv4.policyLock ?? overIPv6.policyLock }
  package var filterLock: KernelError? { overIPv4.filterLock ?? overIPv6.filterLock }

  /// - Parameter udpPort: of encrypted VXLAN.
  package static func probe(udpPort: UInt16 = 7679) -> KernelAbilities {
    do {
      return try NetworkNamespace.withThrowaway { () throws(KernelError) in try probeHere(udpPort) }
    } catch {
      let nothing = Protection(esp: error, policyLock: error, filterLock: error)
      return KernelAbilities(
        vxlan: error, gretap: error, ip6gretap: error, inputFilter: error, overIPv4: nothing, overIPv6: nothing,
        trial: error)
    }
  }

  private static func probeHere(_ udpPort: UInt16) throws(KernelError) -> KernelAbilities {
    let kernel = try KernelNetwork()
    var abilities = KernelAbilities()
    abilities.vxlan = failure { () throws(KernelError) in try kernel.tryVXLAN() }
    abilities.gretap = failure { () throws(KernelError) in try kernel.tryDevice(kind: "gretap") }
    abilities.ip6gretap = failure { () throws(KernelError) in try kernel.tryDevice(kind: "ip6gretap") }
    if kernel.lacksInputFilter {
      abilities.inputFilter = .refused(
        operation: "keep guests from", object: "the host by a filter", code: 95,
        message: "neither cls_bpf nor cls_matchall is there")
    }
    do throws(KernelError) {
      let underlay = try TrialUnderlay(kernel)
      abilities.overIPv4 = protection(
        kernel, underlay, isV6: false, gre: abilities.gretap == nil, udpPort)
      if underlay.hasIPv6 {
        abilities.overIPv6 = protection(
          kernel, underlay, isV6: true, gre: abilities.ip6gretap == nil, udpPort)
      }
    } catch {
      abilities.overIPv4 = Protection(esp: error, policyLock: error, filterLock: error)
      abilities.overIPv6 = abilities.overIPv4
    }
    return abilities
  }

  private static func protection(
    _ kernel: KernelNetwork, _ underlay: TrialUnderlay, isV6: Bool, gre: Bool, _ udpPort: UInt16
  ) -> Protection {
    do throws(KernelError) {
      let trial = try ProtectionTrial(
        kernel, underlay, isV6: isV6, kinds: gre ? [.vxlan, .gre] : [.vxlan], udpPort: udpPort)
      try trial.tryClear()
      return Protection(
        esp: failure { () throws(KernelError) in try trial.tryESP() },
        policyLock: failure { () throws(KernelError) in try trial.tryPolicyLock() },
        filterLock: failure { () throws(KernelError) in try trial.tryFilterLock() })
    } catch {
      return Protection(esp: error, policyLock: error, filterLock: error)
    }
  }

  private static func failure(_ body: () throws(KernelError) -> Void) -> KernelError? {
    do {
      try body()
      return nil
    } catch {
      return error
    }
  }
}
