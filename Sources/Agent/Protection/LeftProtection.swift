import Glibc
import Kernel

/// What an agent that encrypted in the kernel left there: SAs, policies and packet filter. A host that encrypts otherwise
/// now takes it away, behind the last tunnel that it may keep closed.
struct LeftProtection {
  /// Policies that let frames through go first, then SAs, then what closes.
  ///
  /// - Returns: what could not be taken away.
  func remove() -> [KernelError] {
    var failures: [KernelError] = []
    do throws(KernelError) {
      let xfrm = try KernelXFRM()
      let policies = try xfrm.policies()
      failures += xfrm.remove(policies.filter { !$0.isBlock }).map(\.error)
      for (state, _) in try xfrm.states() {
        try xfrm.remove(source: state.source, destination: state.destination, spi: state.spi)
      }
      failures += xfrm.remove(policies.filter(\.isBlock)).map(\.error)
    } catch {
      // A kernel without XFRM has nothing of it.
      if !error.isUnsupported { failures.append(error) }
    }
    do throws(KernelError) {
      try PacketFilterLock().remove()
    } catch {
      if !error.isUnsupported { failures.append(error) }
    }
    return failures
  }
}

extension KernelError {
  fileprivate var isUnsupported: Bool {
    code.map { [EPROTONOSUPPORT, EOPNOTSUPP, EAFNOSUPPORT, ENOPROTOOPT].contains($0) } ?? false
  }
}
