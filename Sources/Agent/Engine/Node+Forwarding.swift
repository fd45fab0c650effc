import Control
import DataPath
import Kernel
import Overlay
import Registry
import Wire

// Where this host sends frames, as it really stands.
extension Node {
  /// nil if the network does not stand here: another one may have its VNI.
  func forwarding(of network: NetworkView) -> API.Forwarding? {
    let kernel = around.kernel
    guard let mechanism = kernel.mechanism(network.encapsulation, network.encryption),
      let state = kernel.observed.networks[network.id], state.bridge != nil
    else { return nil }
    if case .conflict = network.state { return nil }
    guard mechanism.isInUserSpace else {
      // By GRE there is no tunnel as long as there is no other host.
      return network.encapsulation == .gre || !state.tunnels.isEmpty ? API.Forwarding(state) : nil
    }
    guard let path = kernel.userPath?.path, let forwarding = path.forwarding(of: network.vni),
      state.tunnels[forwarding.network.tap]?.isTAP == true
    else { return nil }
    return API.Forwarding(
      path: .user, flood: forwarding.flood.sorted().map(\.description),
      entries: API.ForwardingEntry.list(forwarding.remotes),
      counters: path.counters().networks[network.vni].map {
        API.ForwardingCounters($0, tapOverflow: kernel.tapOverflow(of: network.id))
      })
  }
}

extension API.Forwarding {
  /// Of the kernel's tunnels: of VXLAN by its own table, of GRE by the bridge's.
  fileprivate init(_ state: NetworkState) {
    var (flood, entries) = (state.flood, state.tunnelEntries)
    let remotes = state.tunnels.compactMapValues(\.remote)
    for (name, remote) in remotes where state.tunnels[name]?.floods == true { flood.insert(remote) }
    for (mac, entry) in state.bridgeEntries { if let remote = remotes[entry.port] { entries[mac] = remote } }
    self.init(path: .kernel, flood: flood.sorted().map(\.description), entries: API.ForwardingEntry.list(entries))
  }
}

extension API.ForwardingEntry {
  fileprivate static func list(_ entries: [MACAddress: VTEP]) -> [API.ForwardingEntry] {
    entries.sorted { $0.key < $1.key }.map { API.ForwardingEntry(mac: "\($0.key)", address: "\($0.value)") }
  }
}

extension API.ForwardingCounters {
  fileprivate init(_ counters: PathCounters.Network, tapOverflow: UInt64) {
    self.init(
      framesOut: counters.framesOut, bytesOut: counters.bytesOut, packetsOut: counters.packetsOut,
      framesCut: counters.framesCut, framesFlooded: counters.framesFlooded, packetsIn: counters.packetsIn,
      framesIn: counters.framesIn, bytesIn: counters.bytesIn, framesJoined: counters.framesJoined,
      drops: (tapOverflow > 0 ? [.tapOverflow(tapOverflow)] : []) + API.Drop.list(counters.drops))
  }
}

extension API.Drop {
  /// In the order in which a packet meets the reasons; none that never happened.
  static func list(_ drops: [DropReason: UInt64]) -> [API.Drop] {
    drops.filter { $0.value > 0 }.sorted { $0.key.rawValue < $1.key.rawValue }.map {
      API.Drop(reason: $0.key.name, count: $0.value, message: $0.key.explanation)
    }
  }
}
