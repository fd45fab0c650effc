import CNetlink
import Glibc
import Wire

/// What a guest in one of our bridges can reach of the host itself: nothing.
extension KernelNetwork {
  /// Closes a bridge to the host in two independent ways: settings that give it no address and let the host answer
  /// nothing that comes from it, and a filter on what the bridge hands up to the host, which drops all. Frames that the
  /// bridge forwards do not pass that filter.
  ///
  /// - Returns: true if something had to be changed.
  func isolateFromHost(_ link: Link) throws(KernelError) -> Bool {
    var changed = try closeToAddresses(link)
    for (path, value) in Self.hostSettings(link.name) {
      if try KernelSettings.ensure(path, value) { changed = true }
    }
    if !lacksInputFilter, try !hasInputBlock(link.index) {
      do {
        try blockInput(link)
        changed = true
      } catch {
        // The settings above stand; `KernelAbilities` tells that the second lock is missing.
        guard let code = error.code, [ENOENT, EOPNOTSUPP].contains(code) else { throw error }
        lacksInputFilter = true
      }
    }
    return changed
  }

  /// The device gets no IPv6 address and takes none that others advertise.
  func closeToAddresses(_ link: Link) throws(KernelError) -> Bool {
    var changed = false
    for (path, value) in Self.addressSettings(link.name) {
      if try KernelSettings.ensure(path, value) { changed = true }
    }
    return changed
  }

  /// Whether everything that closes a bridge to the host is in place.
  package func isIsolatedFromHost(_ link: Link) throws(KernelError) -> Bool {
    guard isClosedToAddresses(link), Self.hold(Self.hostSettings(link.name)) else { return false }
    return lacksInputFilter ? true : try hasInputBlock(link.index)
  }

  /// Whether the device can get no IPv6 address.
  package func isClosedToAddresses(_ link: Link) -> Bool { Self.hold(Self.addressSettings(link.name)) }

  private static func hold(_ settings: [(path: String, value: String)]) -> Bool {
    settings.allSatisfy { setting in KernelSettings.read(setting.path).map { $0 == setting.value } ?? true }
  }

  private static func addressSettings(_ name: String) -> [(path: String, value: String)] {
    [("accept_ra", "0"), ("autoconf", "0"), ("disable_ipv6", "1")].map { ("ipv6/conf/\(name)/\($0.0)", $0.1) }
  }

  /// Without an address of its own the bridge has no route back to anyone, so strict reverse path filtering drops every
  /// IPv4 packet for the host; nothing is routed onward, and no ARP request is answered.
  private static func hostSettings(_ name: String) -> [(path: String, value: String)] {
    [("arp_ignore", "8"), ("rp_filter", "1"), ("forwarding", "0"), ("accept_redirects", "0")].map {
      ("ipv4/conf/\(name)/\($0.0)", $0.1)
    }
  }

  private static let ingressHandle: UInt32 = 0xffff_0000
  private static let filterPriority: UInt32 = 0x5746

  static func trafficHeader(_ index: Int32, parent: UInt32, handle: UInt32 = 0, info: UInt32 = 0) -> tcmsg {
    var header = tcmsg()
    header.tcm_ifindex = index
    header.tcm_parent = parent
    header.tcm_handle = handle
    header.tcm_info = info
    return header
  }

  /// Whether our drop filter stands on the device's ingress.
  package func hasInputBlock(_ index: Int32) throws(KernelError) -> Bool {
    let request = NetlinkMessage(
      type: RTM_GETTFILTER, flags: NLM_F_DUMP, Self.trafficHeader(index, parent: Self.ingressHandle))
    do {
      return try socket.dump(request, "filters") { type, payload in
        guard type == RTM_NEWTFILTER, payload.count >= MemoryLayout<tcmsg>.size else { return nil }
        return payload.loadUnaligned(as: tcmsg.self).tcm_info >> 16 == Self.filterPriority
      }.contains(true)
    } catch {
      // Without an ingress queue there is nothing to list.
      guard let code = error.code, [EINVAL, ENOENT, EOPNOTSUPP].contains(code) else { throw error }
      return false
    }
  }

  /// An ingress queue with one filter that drops all. By a program of one instruction (`cls_bpf`, classic); by
  /// `cls_matchall` with the drop action where the kernel has only that.
  private func blockInput(_ link: Link) throws(KernelError) {
    var queue = NetlinkMessage(
      type: RTM_NEWQDISC, flags: NLM_F_CREATE,
      Self.trafficHeader(link.index, parent: 0xffff_fff1, handle: Self.ingressHandle))
    queue.put(TCA_KIND, text: "ingress")
    do {
      try socket.perform(queue, "add an ingress queue to", link.name)
    } catch {
      guard error.code == EEXIST else { throw error }
    }
    do {
      try addFilter(link, "bpf") {
        $0.put(TCA_BPF_OPS_LEN, u16: 1)
        $0.put(TCA_BPF_OPS, structure: SocketFilterInstruction(code: 0x06, k: UInt32(TC_ACT_SHOT)))
        $0.put(TCA_BPF_FLAGS, u32: UInt32(TCA_BPF_FLAG_ACT_DIRECT))
      }
    } catch {
      guard error.code == ENOENT || error.code == EOPNOTSUPP else { throw error }
      try addFilter(link, "matchall") {
        $0.nest(TCA_MATCHALL_ACT) {
          $0.nest(1) {
            $0.put(TCA_ACT_KIND, text: "gact")
            $0.nest(TCA_ACT_OPTIONS) {
              var action = tc_gact()
              action.action = TC_ACT_SHOT
              $0.put(2, structure: action)
            }
          }
        }
      }
    }
  }

  private func addFilter(
    _ link: Link, _ kind: String, _ options: (inout NetlinkMessage) -> Void
  ) throws(KernelError) {
    let allProtocols = UInt32(UInt16(3).bigEndian)
    var filter = NetlinkMessage(
      type: RTM_NEWTFILTER, flags: NLM_F_CREATE | NLM_F_EXCL,
      Self.trafficHeader(
        link.index, parent: Self.ingressHandle, info: Self.filterPriority << 16 | allProtocols))
    filter.put(TCA_KIND, text: kind)
    filter.nest(TCA_OPTIONS) { options(&$0) }
    try socket.perform(filter, "keep guests from the host on", link.name)
  }
}

/// One instruction of a classic BPF program (`struct sock_filter`). Code 0x06 returns `k`.
private struct SocketFilterInstruction: BitwiseCopyable {
  var code: UInt16
  var jumpIfTrue: UInt8 = 0
  var jumpIfFalse: UInt8 = 0
  var k: UInt32
}
