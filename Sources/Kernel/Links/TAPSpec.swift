import Wire

/// A TAP device as it is wanted, port of the bridge `bridge`: the packet path in user space reads the frames that the
/// bridge has for other hosts from its queues, and writes those of other hosts. It is persistent, so it outlives the
/// process that moves the packets.
///
/// While no process has a queue open it has no carrier. Its bridge port is disabled then: the bridge sends nothing out
/// there, and a frame for a MAC behind it goes nowhere, in clear neither. The bridge keeps the static entries that point
/// at the port, and it forwards again as soon as a queue is open.
package struct TAPSpec: Hashable, Sendable {
  package var name: String
  package var mac: MACAddress
  package var mtu: Int
  /// Marks it as ours; a device with another alias is never touched.
  package var alias: String
  /// The bridge that it is a port of.
  package var bridge: String

  package init(name: String, mac: MACAddress, mtu: Int, alias: String, bridge: String) {
    self.name = name
    self.mac = mac
    self.mtu = mtu
    self.alias = alias
    self.bridge = bridge
  }
}

extension Link {
  /// Whether it is exactly as wanted and a port of the bridge with this number. How many queues are open, which offloads
  /// their reader takes, and what the kernel queues before them (`KernelNetwork.hasQueueing`), is not looked at.
  package func satisfies(_ spec: TAPSpec, bridge: Int32) -> Bool {
    guard tap != nil, let port else { return false }
    return name == spec.name && alias == spec.alias && mac == spec.mac && mtu == spec.mtu && isUp && master == bridge
      && unchangeableDifference(spec) == nil && !port.learning && port.isolated != false && port.floods == true
      && (addressGeneration ?? 1) == 1
  }

  /// What differs that is not changed while the device lives: a process may have its queues open, and counts on it.
  package func unchangeableDifference(_: TAPSpec) -> String? {
    guard let tap else { return "kind" }
    if !tap.isMultiQueue { return "number of queues" }
    if !tap.hasVirtioHeader || tap.hasPacketInformation { return "kind of header before each frame" }
    if !tap.isPersistent { return "persistence" }
    if tap.owner != nil || tap.group != nil { return "owner" }
    return nil
  }
}
