import Overlay
import Testing
import Wire

extension OverlayState {
  /// What the kernel does with a change, as `KernelTests` sees it do. What it would refuse is recorded as an issue.
  mutating func carryOut(_ change: Change, _ id: NetworkID) {
    var network = networks[id] ?? NetworkState()
    switch change {
    case .ensureBridge(let bridge): network.bridge = bridge
    case .ensureTunnel(let tunnel): network.ensure(tunnel)
    case .setRemote(let mac, let vtep, let tunnel):
      #expect(network.tunnels[tunnel]?.remote == nil && network.tunnels[tunnel] != nil)
      network.tunnelEntries[mac] = vtep
      network.bridgeEntries[mac] = BridgeEntry(port: tunnel)
    case .setPort(let mac, let port):
      #expect(network.ports.contains(port) || network.tunnels[port]?.bridge != nil, "no such port: \(port)")
      network.bridgeEntries[mac] = BridgeEntry(port: port)
    case .addFlood(let vtep, _): network.flood.insert(vtep)
    case .removeFlood(let vtep, _): network.flood.remove(vtep)
    case .startFlooding(let vtep, let tunnel):
      #expect(network.tunnels[tunnel]?.remote == vtep)
      network.tunnels[tunnel]?.floods = true
    case .stopFlooding(let vtep, let tunnel):
      #expect(network.tunnels[tunnel]?.remote == vtep)
      network.tunnels[tunnel]?.floods = false
    case .removeTunnelEntry(let mac, _): network.tunnelEntries[mac] = nil
    case .removeBridgeEntry(let mac, let port):
      if network.bridgeEntries[mac]?.port == port { network.bridgeEntries[mac] = nil }
    case .removeTunnel(let name, _, _):
      if let old = network.tunnels.removeValue(forKey: name), old.remote == nil {
        network.flood = []
        network.tunnelEntries = [:]
      }
      network.bridgeEntries = network.bridgeEntries.filter { $0.value.port != name }
    case .removeBridge: network.bridge = nil
    }
    networks[id] = network
  }
}

extension NetworkState {
  fileprivate mutating func ensure(_ tunnel: TunnelState) {
    var tunnel = tunnel
    let old = tunnels[tunnel.name]
    if let old { #expect(old.canBecome(tunnel), "cannot be changed while it lives") }
    let isTaken = tunnels.values.contains {
      $0.name != tunnel.name && $0.remote != nil && $0.remote == tunnel.remote && $0.local == tunnel.local
    }
    #expect(!isTaken, "the kernel has one device between two addresses")
    if let old, old.bridge == tunnel.bridge {
      tunnel.floods = old.floods
    } else {
      tunnel.floods = false
      bridgeEntries = bridgeEntries.filter { $0.value.port != tunnel.name }
    }
    tunnels[tunnel.name] = tunnel
  }
}
