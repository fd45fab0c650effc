import CLinux
import Wire

/// What this kernel can do, found by trying in a network namespace that is thrown away, so nothing of the host's is
/// touched. Modules that it needs are loaded by the trial.
package struct KernelAbilities: Equatable, Sendable {
  /// nil if it can; else why not, in the kernel's words.
  package var vxlan: KernelError?
  package var gretap: KernelError?
  /// ESP by XFRM with `rfc4106(gcm(aes))`.
  package var esp: KernelError?
  /// A filter that keeps what guests send to the host away from it. Without it only the settings of the bridge do.
  package var inputFilter: KernelError?
  /// The namespace for trying could not be made: nothing is known.
  package var trial: KernelError?

  package static func probe() -> KernelAbilities {
    do {
      return try NetworkNamespace.withThrowaway { () throws(KernelError) in try probeHere() }
    } catch {
      return KernelAbilities(vxlan: error, gretap: error, esp: error, inputFilter: error, trial: error)
    }
  }

  private static func probeHere() throws(KernelError) -> KernelAbilities {
    let kernel = try KernelNetwork()
    var abilities = KernelAbilities()
    abilities.vxlan = failure { () throws(KernelError) in try kernel.tryVXLAN() }
    abilities.gretap = failure { () throws(KernelError) in try kernel.tryDevice(kind: "gretap") }
    abilities.esp = tryESP()
    if kernel.lacksInputFilter {
      abilities.inputFilter = .refused(
        operation: "keep guests from", object: "the host by a filter", code: 95,
        message: "neither cls_bpf nor cls_matchall is there")
    }
    return abilities
  }

  private static func failure(_ body: () throws(KernelError) -> Void) -> KernelError? {
    do {
      try body()
      return nil
    } catch {
      return error
    }
  }

  private static func tryESP() -> KernelError? {
    var text = [CChar](repeating: 0, count: 256)
    let code = weft_try_esp(&text, text.count)
    guard code != 0 else { return nil }
    let message = String(decoding: text.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self)
    return .refused(
      operation: "add", object: "an ESP state with rfc4106(gcm(aes))", code: -code,
      message: message.isEmpty ? nil : message)
  }
}
