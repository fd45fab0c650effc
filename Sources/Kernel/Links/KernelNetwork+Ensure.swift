import CNetlink
import Glibc
import Wire

// What bringing about a device of ours has in common, whatever its kind.
extension KernelNetwork {
  /// Creates the device with this name if it does not stand, and repairs it in any case.
  func ensureDevice(
    _ name: String, create: () throws(KernelError) -> Void, repair: (Link) throws(KernelError) -> Ensured
  ) throws(KernelError) -> Ensured {
    if let link = try link(named: name) { return try repair(link) }
    do {
      try create()
    } catch {
      // Someone made one in between: the same look decides whether it is ours.
      guard error.code == EEXIST, let link = try link(named: name) else { throw error }
      return try repair(link)
    }
    guard let link = try link(named: name) else { throw .absent(name) }
    _ = try repair(link)
    return .created(index: link.index)
  }

  /// The bridge that a device is to be a port of.
  ///
  /// - Throws: `.absent` if it does not stand, `.foreign` if it is not ours.
  func bridge(named name: String, alias: String) throws(KernelError) -> Link {
    guard let bridge = try link(named: name) else { throw .absent(name) }
    guard bridge.kind == "bridge", bridge.alias == alias else {
      throw .foreign(name: name, kind: bridge.kind, alias: bridge.alias)
    }
    return bridge
  }

  /// A port of ours that was just claimed: it has its mark now, and the host gets no IPv6 address on it.
  ///
  /// - Returns: whether something had to be changed, the mark included.
  func closeClaimed(_ link: inout Link, alias: String) throws(KernelError) -> Bool {
    var changed = link.alias == nil
    link.alias = alias
    if try closeToAddresses(link) { changed = true }
    if (link.addressGeneration ?? 1) != 1 {
      try stopAddressGeneration(link.index, link.name)
      changed = true
    }
    return changed
  }

  /// Creates a device and marks it. The kernel ignores an alias in the message that creates a device, and a mark set by
  /// name could hit a stranger's device, so it is set by number once the device is known to be the one just made.
  func create(
    _ message: consuming NetlinkMessage, _ operation: String, name: String, mac: MACAddress, alias: String
  ) throws(KernelError) {
    guard Self.isInterfaceName(name), alias.utf8.count < 256 else {
      throw .refused(
        operation: operation, object: name, code: EINVAL, message: "a name has 1 to 15 bytes, an alias at most 255")
    }
    try socket.perform(message, operation, name)
    guard let link = try link(named: name) else { throw .absent(name) }
    try claim(link, mac: mac, alias: alias)
  }

  /// Checks that a device is ours. One without alias but with the MAC that only we derive is ours too: an agent that was
  /// killed between the two steps of `create` left it. It gets its mark now.
  func claim(_ link: Link, mac: MACAddress, alias: String) throws(KernelError) {
    if link.alias == alias { return }
    guard link.alias == nil, link.mac == mac else {
      throw .foreign(name: link.name, kind: link.kind, alias: link.alias)
    }
    var message = NetlinkMessage(type: RTM_NEWLINK, flags: 0, Self.header(link.index))
    message.put(IFLA_IFALIAS, text: alias)
    try socket.perform(message, "mark the device", link.name)
  }
}
