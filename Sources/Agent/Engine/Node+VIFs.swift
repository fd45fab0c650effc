import Kernel
import Registry
import Wire

/// An interface that someone put into one of our bridges.
final class VIFPort {
  let name: String
  let index: Int32
  let network: NetworkID
  var hasCarrier: Bool
  /// nil while it could not be opened, as for a moment after the interface came.
  var tap: VIFTap?
  /// When each MAC was last passed on, so that a busy guest costs one look a second.
  var lastSeen: [MACAddress: Instant] = [:]

  init(name: String, index: Int32, network: NetworkID, hasCarrier: Bool) {
    self.name = name
    self.index = index
    self.network = network
    self.hasCarrier = hasCarrier
  }
}

// The life of VIFs: what netlink and the packet sockets show becomes inputs of the registry.
extension Node {
  /// Looks at all links: VIFs that came while nobody listened, VIFs that went. Levels, not changes.
  func adoptPorts(_ now: Instant) {
    var found: Set<String> = []
    for link in around.kernel.links.values.sorted(by: { $0.index < $1.index }) where network(ofPort: link) != nil {
      found.insert(link.name)
      portSeen(link, isLevel: true, now: now)
    }
    for name in ports.keys.sorted() where !found.contains(name) { portGone(name, now: now) }
  }

  /// What a batch of events tells. What costs a dump is done once for the whole batch, by the state at its end: a device
  /// that is made tells of itself a dozen times.
  func kernelEvents(_ events: [KernelEvent], _ now: Instant) {
    var devices: Set<Int32> = []
    var lost: Set<NetworkID> = []
    var isUnderlayTouched = false
    var isOverrun = false
    let kernel = around.kernel
    for event in events {
      switch event {
      case .link(let link):
        // A port that was renamed is another VIF: its old name would keep its own tap on the same interface.
        if let before = kernel.links[link.index]?.name, before != link.name, ports[before]?.index == link.index {
          portGone(before, now: now)
        }
        kernel.linkChanged(link)
        if kernel.concernsUnderlay(interface: link.index, name: link.name) { isUnderlayTouched = true }
        if network(ofPort: link) != nil {
          portSeen(link, isLevel: false, now: now)
        } else {
          if ports[link.name]?.index == link.index { portGone(link.name, now: now) }
          if kernel.network(ofDevice: link.index) != nil { devices.insert(link.index) }
        }
      case .linkGone(let index, let name):
        if kernel.concernsUnderlay(interface: index, name: name) { isUnderlayTouched = true }
        if let before = kernel.links[index]?.name, ports[before]?.index == index { portGone(before, now: now) }
        if ports[name]?.index == index { portGone(name, now: now) }
        devices.remove(index)
        if let network = kernel.forget(index), kernel.hasSeen(device: name, of: network) { lost.insert(network) }
      case .entry, .entryGone: break
      case .address(let address), .addressGone(let address):
        if kernel.concernsUnderlay(address) { isUnderlayTouched = true }
      case .overrun: isOverrun = true
      }
    }
    ownDevicesChanged(devices, lost: lost)
    if isUnderlayTouched { underlayMayHaveChanged(now) }
    if isOverrun {
      around.log.warning("events of the kernel were lost: looking at everything anew")
      overrun(now)
    }
  }

  /// Somebody, maybe this agent, changed or removed devices of ours: those that are not as they were last seen are looked
  /// at, together.
  private func ownDevicesChanged(_ devices: Set<Int32>, lost: Set<NetworkID>) {
    var networks = lost
    for index in devices {
      guard let network = around.kernel.network(ofDevice: index), let link = around.kernel.links[index],
        !around.kernel.isAsSeen(link)
      else { continue }
      networks.insert(network)
    }
    guard !networks.isEmpty else { return }
    around.kernel.lookAgain(at: networks)
    staleNetworks.formUnion(networks)
  }

  /// The network whose bridge this link is a port of, if the port is not one of our own devices.
  private func network(ofPort link: Link) -> NetworkID? {
    guard let master = link.master, link.alias.map({ !$0.hasPrefix("weft:") }) ?? true else { return nil }
    return around.kernel.network(ofBridge: master)
  }

  func portSeen(_ link: Link, isLevel: Bool, now: Instant) {
    guard let network = network(ofPort: link) else { return }
    if let known = ports[link.name], known.index != link.index || known.network != network {
      portGone(link.name, now: now)
    }
    let isConnected = link.isUp && link.hasCarrier
    if let port = ports[link.name] {
      if port.tap == nil { openTap(port, now: now) }
      guard port.hasCarrier != isConnected else { return }
      port.hasCarrier = isConnected
      perform(registry.carrier(vif: link.name, isUp: isConnected, isChange: !isLevel, now: now), now: now)
      return
    }
    let port = VIFPort(name: link.name, index: link.index, network: network, hasCarrier: isConnected)
    ports[link.name] = port
    openTap(port, now: now)
    attach(port, XenVIF.ID(interface: link.name).flatMap { xen?.vif($0) }, now: now)
    perform(registry.carrier(vif: link.name, isUp: isConnected, isChange: false, now: now), now: now)
  }

  /// Tells the registry of a VIF, with what the hypervisor says of it.
  private func attach(_ port: VIFPort, _ xen: XenVIF?, now: Instant) {
    perform(
      registry.attach(
        vif: port.name, network: port.network, isNetback: VIFName.isNetback(port.name), mac: xen?.mac, vm: xen?.vm,
        now: now),
      now: now)
    chooseMode(port)
  }

  /// Listens to xenstore, where there is one, for the MACs and VMs of VIFs.
  func watchXen() {
    let source = XenVIFSource(reactor: around.reactor) { [weak self] change in
      guard let self else { return }
      let now = Reactor.now()
      switch change {
      case .found(let vif):
        for name in vif.id.interfaces { if let port = ports[name] { attach(port, vif, now: now) } }
      case .gone: break
      case .notice(let sentence): around.log.info("\(sentence)")
      }
      endTurn(now)
    }
    xen = source
    source.start()
  }

  private func portGone(_ name: String, now: Instant) {
    guard let port = ports.removeValue(forKey: name) else { return }
    closeTap(port)
    perform(registry.detach(vif: name, now: now), now: now)
  }

  func closePorts() {
    let descriptors = ports.values.compactMap { detachTap($0) }
    if !descriptors.isEmpty { around.send(.close(descriptors)) }
    ports = [:]
  }

  /// Whether someone put an interface into the network's bridge here.
  func hasVIF(_ network: NetworkID) -> Bool { ports.values.contains { $0.network == network } }

  // MARK: Frames

  private func openTap(_ port: VIFPort, now: Instant) {
    do {
      let tap = try VIFTap(interface: port.index, mode: wantedMode(port))
      try around.reactor.watch(tap.descriptor, for: .read) { [weak self, unowned port] in self?.frames(port) }
      port.tap = tap
    } catch {
      around.log.warning("\(error)")
    }
  }

  /// To close a packet socket takes milliseconds: somebody else does it.
  private func closeTap(_ port: VIFPort) {
    if let descriptor = detachTap(port) { around.send(.close([descriptor])) }
  }

  private func detachTap(_ port: VIFPort) -> Int32? {
    guard let tap = port.tap else { return nil }
    around.reactor.unwatch(tap.descriptor)
    port.tap = nil
    return tap.detach()
  }

  private func frames(_ port: VIFPort) {
    let now = Reactor.now()
    do {
      guard let seen = try port.tap?.receive() else { return }
      var isLookedAt = false
      for frame in seen where isWorthALook(frame, port, now) {
        isLookedAt = true
        perform(
          registry.frame(vif: port.name, mac: frame.source, ips: frame.address.map { [$0] } ?? [], now: now), now: now)
        frameStrayed(port.network, frame.source, now: now)
      }
      if isLookedAt { chooseMode(port) }
      endTurn(now)
    } catch {
      // The interface went down or away; netlink tells which. A socket on an interface that is gone is of no use.
      if error.meansGone { closeTap(port) }
    }
  }

  /// A MAC's plain frames count once a second; what it announces counts always.
  private func isWorthALook(_ frame: Announcement, _ port: VIFPort, _ now: Instant) -> Bool {
    if frame.kind != .other { return true }
    if let last = port.lastSeen[frame.source], now - last < .seconds(1) { return false }
    if port.lastSeen.count > 256 { port.lastSeen = port.lastSeen.filter { now - $0.value < .seconds(1) } }
    port.lastSeen[frame.source] = now
    return true
  }

  /// The MAC is live on a port here, or not any more: the bridge has to know at once, and the taps of all ports that
  /// have it listen for more or for less.
  func localMAC(_ network: NetworkID, _ mac: MACAddress, vif: String?) {
    if let port = vif.flatMap({ ports[$0] }) {
      setLocal(mac, network, port)
      chooseMode(port)
    }
    for name in registry.vifs(of: network, having: mac) where name != vif {
      if let port = ports[name] { chooseMode(port) }
    }
  }

  /// A tap listens for announcements only while all that its VIF has shown is live there.
  private func wantedMode(_ port: VIFPort) -> VIFTap.Mode {
    registry.isAllLive(vif: port.name) ? .announcements : .discover
  }

  private func chooseMode(_ port: VIFPort) {
    do { try port.tap?.setMode(wantedMode(port)) } catch { around.log.warning("\(error)") }
  }
}

extension XenVIF.ID {
  /// The names that an interface of this VIF can have in dom0: netback's, and its emulated twin's.
  fileprivate var interfaces: [String] {
    ["vif\(domain).\(device)", "vif\(domain).\(device)-emu", "tap\(domain).\(device)"]
  }
}

/// What the names of Xen's interfaces in dom0 say.
enum VIFName {
  /// `vifX.Y`: only the carrier of these says that a guest is connected (not `vifX.Y-emu`, not `tapX.Y`).
  static func isNetback(_ name: String) -> Bool {
    guard name.hasPrefix("vif") else { return false }
    let parts = name.dropFirst(3).split(separator: ".", omittingEmptySubsequences: false)
    return parts.count == 2 && parts.allSatisfy { !$0.isEmpty && $0.utf8.allSatisfy { (48...57).contains($0) } }
  }
}
