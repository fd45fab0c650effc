import CNetlink
import Glibc
import Wire

extension KernelNetwork {
  /// Every address of the namespace, by interface, IPv4 first, in the kernel's order (primary addresses first).
  package func addresses() throws(KernelError) -> [InterfaceAddress] {
    let found = try socket.dump(
      NetlinkMessage(type: RTM_GETADDR, flags: NLM_F_DUMP, ifaddrmsg()), "addresses"
    ) { type, payload in type == RTM_NEWADDR ? InterfaceAddress(payload) : nil }
    return found.enumerated().sorted { left, right in
      let (a, b) = (left.element, right.element)
      if a.interface != b.interface { return a.interface < b.interface }
      if a.address.isV6 != b.address.isV6 { return !a.address.isV6 }
      return left.offset < right.offset
    }.map(\.element)
  }

  /// Finds what `--underlay` means, as `findUnderlay` does.
  ///
  /// - Throws: `.underlay` also while the address cannot be used yet.
  package func underlay(_ text: String) throws(KernelError) -> Underlay {
    switch try findUnderlay(text) {
    case .ready(let underlay): return underlay
    case .pending(let sentence): throw .underlay(sentence)
    }
  }

  /// Finds what `--underlay` means: an address of this host, or an interface. Of an interface the first global IPv4
  /// address is taken, else the first global IPv6 address; deprecated, temporary and secondary ones only if there is no
  /// other, duplicates never.
  ///
  /// - Parameter current: the address in use. While the interface has it, it is kept; when it is gone, only an address of
  ///   the same family takes its place, since the tunnels of a pool are of one family.
  /// - Throws: `.underlay` with a sentence that lists what could be said instead.
  package func findUnderlay(_ text: String, keeping current: VTEP? = nil) throws(KernelError) -> UnderlayFinding {
    let links = try links()
    let addresses = try addresses()
    if let address = IPAddress(text) {
      guard address.isUnicast, !address.isLinkLocal else {
        throw .underlay("\(address) cannot be the end of tunnels: name an address that the other hosts can reach.")
      }
      guard let found = addresses.first(where: { $0.address == address }),
        let link = links.first(where: { $0.index == found.interface })
      else { throw .underlay("\(address) is not an address of this host. \(Self.choice(links, addresses))") }
      return try Self.finding(found, on: link)
    }
    if text.contains("%") {
      throw .underlay(
        "'\(text)' has a scope, and the ends of tunnels have none: name an address that the other hosts can reach, or "
          + "the interface alone.")
    }
    guard let link = links.first(where: { $0.name == text }) else {
      throw .underlay("'\(text)' is neither an address nor an interface of this host. \(Self.choice(links, addresses))")
    }
    let family = current?.isV6
    let candidates = addresses.filter { address in
      address.interface == link.index && address.isGlobal && address.address.isUnicast && !address.address.isLinkLocal
        && (family ?? address.address.isV6) == address.address.isV6
    }
    if let current, let kept = candidates.first(where: { $0.address == current && $0.isUsable }) {
      return try Self.finding(kept, on: link)
    }
    let usable = candidates.filter(\.isUsable)
    let best =
      usable.first { !$0.isSecondChoice } ?? usable.first ?? candidates.first(where: \.isTentative) ?? candidates.first
    guard let best else {
      let kind = family.map { $0 ? "IPv6 " : "IPv4 " } ?? ""
      throw .underlay(
        "The interface \(link.name) has no \(kind)address that other hosts can reach: give it one, or name another with "
          + "--underlay. \(Self.choice(links, addresses))")
    }
    return try Self.finding(best, on: link)
  }

  private static func finding(_ address: InterfaceAddress, on link: Link) throws(KernelError) -> UnderlayFinding {
    if address.isDuplicate {
      throw .underlay(
        "Another machine on the link of \(link.name) has \(address.address), too: give one of the two another address.")
    }
    if address.isTentative {
      return .pending(
        "The kernel still looks whether another machine on the link of \(link.name) has \(address.address): this ends "
          + "by itself within seconds while the link is up.")
    }
    return .ready(
      Underlay(interface: link.index, name: link.name, address: address.address, mtu: link.mtu, isUp: link.isUp))
  }

  private static func choice(_ links: [Link], _ addresses: [InterfaceAddress]) -> String {
    let names = Dictionary(links.map { ($0.index, $0) }, uniquingKeysWith: { first, _ in first })
    let texts = addresses.filter { $0.isGlobal }.compactMap { address -> String? in
      guard let link = names[address.interface], !link.isLoopback else { return nil }
      return "\(address.address) on \(link.name)"
    }
    guard !texts.isEmpty else { return "It has no address at all yet: give it one first." }
    return "It has \(texts.prefix(8).joined(separator: ", ")): pass one of these with --underlay."
  }

  /// The largest packet that goes to `address` by the present route: the route's own MTU if it has one, else its
  /// interface's. nil if there is no route.
  package func routeMTU(to address: IPAddress) throws(KernelError) -> Int? {
    var header = rtmsg()
    header.rtm_family = UInt8(address.isV6 ? AF_INET6 : AF_INET)
    header.rtm_dst_len = address.isV6 ? 128 : 32
    var message = NetlinkMessage(type: RTM_GETROUTE, flags: 0, header)
    message.put(RTA_DST.rawValue, bytes: address.bytes)
    let routes: [(interface: Int32?, mtu: Int?)]
    do {
      routes = try socket.dump(message, "the route to \(address)") { type, payload in
        type == RTM_NEWROUTE ? Self.exit(of: payload) : nil
      }
    } catch {
      if let code = error.code, [ENETUNREACH, EHOSTUNREACH, EACCES, EINVAL].contains(code) { return nil }
      throw error
    }
    guard let route = routes.first, let interface = route.interface, let link = try link(index: interface) else {
      return nil
    }
    return min(route.mtu ?? link.mtu, link.mtu)
  }

  private static func exit(of route: UnsafeRawBufferPointer) -> (interface: Int32?, mtu: Int?) {
    var interface: Int32?
    var mtu: Int?
    for attribute in Attributes(route, after: MemoryLayout<rtmsg>.size) {
      switch attribute.type {
      case Int(RTA_OIF.rawValue): interface = attribute.u32.map(Int32.init(bitPattern:))
      case Int(RTA_METRICS.rawValue):
        for metric in Attributes(nested: attribute) where metric.type == Int(RTAX_MTU) {
          mtu = metric.u32.map(Int.init)
        }
      default: break
      }
    }
    return (interface, mtu)
  }
}
