import Glibc
import Kernel
import Overlay
import Registry
import Wire

/// What an agent that encrypted in the kernel left there: SAs, policies and packet filter. A host that encrypts otherwise
/// now takes it away, behind the last tunnel that it may keep closed.
struct LeftProtection {
  /// Why it is still there; nil before the first try.
  private(set) var complaint: String?
  private var backOff = KernelUpkeep.BackOff(first: .seconds(1), longest: .seconds(30))
  private var nextTry: Instant?

  /// Takes it away unless a tunnel needs it. After a try in vain the next ones wait, longer each time.
  ///
  /// - Parameters:
  ///   - links: all of this host, as they stand now.
  ///   - isInClear: whether a network is known to be in clear.
  /// - Returns: whether all of it is gone.
  mutating func remove(
    now: Instant, links: () throws -> [Link], isInClear: (NetworkID) -> Bool
  ) -> Bool {
    if let nextTry, now < nextTry { return false }
    complaint = Self.need(links, isInClear) ?? Self.removeAll().first?.description
    guard complaint != nil else { return true }
    nextTry = now + backOff.next()
    return false
  }

  /// Why what closes has to stay; nil if nothing needs it.
  static func need(_ links: () throws -> [Link], _ isInClear: (NetworkID) -> Bool) -> String? {
    let all: [Link]
    do { all = try links() } catch {
      return "It is not known which tunnels stand, so all that closes them stays. \(error)"
    }
    guard let link = all.first(where: { $0.mustStayClosed(isInClear) }) else { return nil }
    return
      "The tunnel \(link.name) stands and may be one of an encrypted network (alias \(link.alias ?? "none")), so what closes it stays: remove it with 'ip link delete \(link.name)' if nobody needs it."
  }

  /// Policies that let frames through go first, then SAs, then what closes.
  ///
  /// - Returns: what could not be taken away.
  static func removeAll() -> [KernelError] {
    var failures: [KernelError] = []
    do throws(KernelError) {
      let xfrm = try KernelXFRM()
      let policies = try xfrm.policies()
      failures += xfrm.remove(policies.filter { !$0.isBlock }).map(\.error)
      for (state, _) in try xfrm.states() {
        try xfrm.remove(source: state.source, destination: state.destination, spi: state.spi)
      }
      failures += xfrm.remove(policies.filter(\.isBlock)).map(\.error)
      _ = try xfrm.removeStrangePolicies()
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

extension Link {
  /// Whether this is a tunnel of the kernel whose frames must not go in clear, as far as is known: of any pool, and also
  /// one that a killed agent left without its mark.
  func mustStayClosed(_ isInClear: (NetworkID) -> Bool) -> Bool {
    if let vxlan { return vxlan.port == OverlayNames.protectedVXLANPort }
    guard gre != nil else { return false }
    guard let alias else { return name.hasPrefix("wr") }
    guard alias.hasPrefix("weft:") else { return false }
    return OverlayAlias(alias).map { !isInClear($0.network) } ?? true
  }
}

extension KernelError {
  /// What kernels answer that lack the part that was asked: netlink knows no such family, or no such message of it.
  fileprivate var isUnsupported: Bool {
    code.map { [EPROTONOSUPPORT, EOPNOTSUPP, EAFNOSUPPORT, ENOPROTOOPT, EINVAL].contains($0) } ?? false
  }
}
