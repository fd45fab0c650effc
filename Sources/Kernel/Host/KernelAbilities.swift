import Glibc
import Wire

/// What this kernel can do, found by trying in a network namespace that is thrown away, so nothing of the host's is
/// touched. Modules that it needs are loaded by the trial.
package struct KernelAbilities: Equatable, Sendable {
  /// nil if it can; else why not, in the kernel's words.
  package var vxlan: KernelError?
  package var gretap: KernelError?
  /// GRE over IPv6.
  package var ip6gretap: KernelError?
  /// The TAP devices of the packet path in user space.
  package var tap: KernelError?
  /// A filter that keeps what guests send to the host away from it. Without it only the settings of the bridge do.
  package var inputFilter: KernelError?
  /// What protects encrypted networks over IPv4.
  package var overIPv4 = Protection()
  /// And over IPv6; nil if the host has none.
  package var overIPv6: Protection?
  /// The namespace for trying could not be made: nothing is known.
  package var trial: KernelError?

  /// Each tried with a frame through every kind of tunnel that the kernel has; nil if it works, else what was seen.
  package struct Protection: Equatable, Sendable {
    /// ESP by XFRM with `rfc4106(gcm(aes))`: a frame leaves encrypted, and none in clear.
    package var esp: KernelError?
    /// The same in UDP, both ways, as hosts speak it whose packet path is in user space.
    package var espInUDP: KernelError?
    /// XFRM policies alone let no frame out and none in while no SA stands.
    package var policyLock: KernelError?
    /// The packet filter alone does the same.
    package var filterLock: KernelError?

    package init(
      esp: KernelError? = nil, espInUDP: KernelError? = nil, policyLock: KernelError? = nil,
      filterLock: KernelError? = nil
    ) {
      self.esp = esp
      self.espInUDP = espInUDP
      self.policyLock = policyLock
      self.filterLock = filterLock
    }

    /// Nothing could be tried.
    init(failure: KernelError) {
      self.init(esp: failure, espInUDP: failure, policyLock: failure, filterLock: failure)
    }
  }

  /// Over one family of underlay addresses.
  package func protection(isV6: Bool) -> Protection {
    isV6 ? overIPv6 ?? Protection(failure: Self.noIPv6) : overIPv4
  }

  /// Over IPv4, or over IPv6 if it fails only there.
  package var esp: KernelError? { overIPv4.esp ?? overIPv6?.esp }
  package var espInUDP: KernelError? { overIPv4.espInUDP ?? overIPv6?.espInUDP }
  package var policyLock: KernelError? { overIPv4.policyLock ?? overIPv6?.policyLock }
  package var filterLock: KernelError? { overIPv4.filterLock ?? overIPv6?.filterLock }

  private static let noIPv6 = KernelError.refused(
    operation: "use", object: "IPv6", code: EAFNOSUPPORT, message: "IPv6 is switched off")

  private static let notTried = KernelError.refused(
    operation: "encrypt in", object: "the kernel", code: EOPNOTSUPP, message: "it was not tried")

  package enum Scope: Sendable {
    case everything
    /// The locks only where the kernel has the ESP that they guard.
    case usable
    /// Only what needs no encryption.
    case clear
  }

  /// - Parameters:
  ///   - udpPort: of encrypted VXLAN.
  ///   - scope: what is of interest; the rest counts as lacking, and no time goes into it.
  package static func probe(udpPort: UInt16 = 7679, _ scope: Scope = .everything) -> KernelAbilities {
    do {
      return try NetworkNamespace.withThrowaway { () throws(KernelError) in
        try probeHere(udpPort, scope)
      }
    } catch {
      let nothing = Protection(failure: error)
      return KernelAbilities(
        vxlan: error, gretap: error, ip6gretap: error, tap: error, inputFilter: error, overIPv4: nothing,
        overIPv6: nothing,
        trial: error)
    }
  }

  private static func probeHere(_ udpPort: UInt16, _ scope: Scope) throws(KernelError) -> KernelAbilities {
    let kernel = try KernelNetwork()
    var abilities = KernelAbilities()
    abilities.vxlan = failure { () throws(KernelError) in try kernel.tryVXLAN() }
    abilities.tap = failure { () throws(KernelError) in try kernel.tryTAP() }
    if kernel.lacksInputFilter {
      abilities.inputFilter = .refused(
        operation: "keep guests from", object: "the host by a filter", code: EOPNOTSUPP,
        message: "neither cls_bpf nor cls_matchall is there")
    }
    do throws(KernelError) {
      let underlay = try TrialUnderlay(kernel)
      (abilities.overIPv4, abilities.gretap) = probe(kernel, underlay, isV6: false, udpPort, scope)
      if underlay.hasIPv6 {
        (abilities.overIPv6, abilities.ip6gretap) = probe(kernel, underlay, isV6: true, udpPort, scope)
      } else {
        abilities.ip6gretap = noIPv6
      }
    } catch {
      (abilities.overIPv4, abilities.overIPv6) = (Protection(failure: error), Protection(failure: error))
      (abilities.gretap, abilities.ip6gretap) = (error, error)
    }
    return abilities
  }

  /// - Returns: what protects the tunnels that the kernel has, and why it has none of GRE.
  private static func probe(
    _ kernel: KernelNetwork, _ underlay: TrialUnderlay, isV6: Bool, _ udpPort: UInt16, _ scope: Scope
  ) -> (Protection, gre: KernelError?) {
    var tunnels: [TrialTunnel] = []
    func add(_ kind: TrialTunnel.Kind) -> KernelError? {
      failure { () throws(KernelError) in
        tunnels.append(try TrialTunnel(kernel, underlay, kind, isV6: isV6, udpPort: udpPort))
      }
    }
    guard scope != .clear else { return (Protection(failure: notTried), add(.gre)) }
    let vxlan = add(.vxlan)
    let gre = add(.gre)
    if let vxlan { return (Protection(failure: vxlan), gre) }
    do throws(KernelError) {
      let trial = try ProtectionTrial(underlay, tunnels, udpPort: udpPort)
      try trial.tryClear()
      let esp = failure { () throws(KernelError) in try trial.tryESP() }
      if scope == .usable, let esp { return (Protection(failure: esp), gre) }
      let protection = Protection(
        esp: esp,
        espInUDP: esp ?? failure { () throws(KernelError) in try trial.tryESPInUDP() },
        policyLock: failure { () throws(KernelError) in try trial.tryPolicyLock() },
        filterLock: failure { () throws(KernelError) in try trial.tryFilterLock() })
      return (protection, gre)
    } catch {
      return (Protection(failure: error), gre)
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
