import CLinux
import CNetlink
import Glibc
import Wire

extension KernelNetwork {
  /// Brings about a persistent TAP device exactly as wanted, port of its bridge. Queues that a process has open stay as
  /// they are.
  ///
  /// Where it makes the device it closes the queue by which it did so, which waits for the kernel some milliseconds.
  ///
  /// - Throws: `.foreign` if a device of that name is not ours; `.unchangeable` if it is ours but has to be made anew,
  ///   which the caller decides (`deleteLink`, then this again); `.absent` if its bridge does not stand; `.refused`
  ///   without /dev/net/tun.
  @discardableResult
  package func ensureTAP(_ spec: TAPSpec) throws(KernelError) -> Ensured {
    let bridge = try bridge(named: spec.bridge, alias: spec.alias).index
    return try ensureDevice(spec.name) { () throws(KernelError) in
      try createTAP(spec)
    } repair: { link throws(KernelError) in
      try repairTAP(link, spec, bridge: bridge)
    }
  }

  /// It becomes persistent last: one that is not marked yet goes with this process.
  private func createTAP(_ spec: TAPSpec) throws(KernelError) {
    let operation = "create the TAP device"
    guard Self.isInterfaceName(spec.name), spec.alias.utf8.count < 256 else {
      throw .refused(
        operation: operation, object: spec.name, code: EINVAL,
        message: "a name has 1 to 15 bytes, an alias at most 255")
    }
    let queue = weft_tun_create(spec.name)
    guard queue >= 0 else { throw Self.refusalOfTAP(operation, spec.name, -queue) }
    defer { close(queue) }
    guard let link = try link(named: spec.name) else { throw .absent(spec.name) }
    try setMAC(link.index, spec.mac)
    guard let link = try self.link(index: link.index) else { throw .absent(spec.name) }
    try claim(link, mac: spec.mac, alias: spec.alias)
    let result = weft_tun_set_persistent(queue, 1)
    guard result == 0 else { throw Self.refusalOfTAP(operation, spec.name, -result) }
  }

  /// Errors of the file /dev/net/tun are told from those of the device.
  static func refusalOfTAP(
    _ operation: String, _ name: String, _ code: Int32, hasFile: Bool = access("/dev/net/tun", R_OK | W_OK) == 0
  ) -> KernelError {
    guard !hasFile, [ENOENT, ENXIO, ENODEV, EACCES, EPERM].contains(code) else {
      return .refused(operation: operation, object: name, code: code, message: nil)
    }
    return .refused(
      operation: operation, object: "\(name) by /dev/net/tun (load the module tun, and let weftd use the file)",
      // It is the file that is missing, not a device that went away.
      code: code == EACCES || code == EPERM ? code : EOPNOTSUPP, message: nil)
  }

  /// The order matters: the device joins the bridge and gets its port flags before it comes up, so it never learns, and
  /// has no queues by then, so the kernel makes none.
  private func repairTAP(_ link: Link, _ spec: TAPSpec, bridge: Int32) throws(KernelError) -> Ensured {
    guard link.tap != nil else { throw .foreign(name: spec.name, kind: link.kind, alias: link.alias) }
    try claim(link, mac: spec.mac, alias: spec.alias)
    if let what = link.unchangeableDifference(spec) { throw .unchangeable(name: spec.name, what: what) }
    var link = link
    var changed = try closeClaimed(&link, alias: spec.alias)
    if try removeQueueing(link) { changed = true }
    guard !link.satisfies(spec, bridge: bridge) else {
      return changed ? .changed(index: link.index) : .unchanged(index: link.index)
    }
    if link.mac != spec.mac { try setMAC(link.index, spec.mac) }
    if link.mtu != spec.mtu { try setMTU(link.index, spec.mtu) }
    if link.master != bridge { try setMaster(link.index, bridge: bridge) }
    if link.master != bridge || link.port?.learning != false || link.port?.isolated == false
      || link.port?.floods != true
    {
      try setPort(link.index, learning: false, isolated: true, floods: true)
    }
    if !link.isUp { try setUp(link.index, true) }
    return .changed(index: link.index)
  }
}
