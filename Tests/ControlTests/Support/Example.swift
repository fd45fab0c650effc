import Control

/// Values with every field set, and values with every field that may be missing missing.
enum Example {
  static let hostID = "00112233445566778899aabbccddeeff"
  static let networkID = "6f9d3c50-52c4-4f0e-8a57-2f0c9f6c2d11"

  static let host = API.Host(
    id: hostID, name: "host1", state: .alive, address: "192.0.2.1", incarnation: 3, isSelf: true,
    boot: "7/00000000000000aa", version: 19, release: "0.1.0", mtu: 1500, capabilities: ["kernelESP", "kernelVXLAN"],
    epoch: 2, keys: [keys, noKeys], networks: ["blue"])

  static let keys = API.HostKeys(
    host: "host2", hostId: silentHost.id, state: .established, inbound: 2, outboundSPI: 0x1a2b3c, packetsSent: 120,
    packetsReceived: 118, replayed: 3, integrityFailures: 1, drops: [drop])

  static let drop = API.Drop(reason: "replayed", count: 3, message: "An ESP packet came a second time.")

  static let noKeys = API.HostKeys(host: "host3", hostId: "0f", state: .none)

  static let silentHost = API.Host(
    id: "ffeeddccbbaa99887766554433221100", name: "host2", state: .agentDown, address: nil, incarnation: 0,
    problems: ["Its agent is silent: start weftd there."])

  static let network = API.Network(
    id: networkID, name: "blue", vni: 4711, bridge: "weft-blue", encap: .vxlan, encryption: .off, mtu: 1450, state: .ok,
    hosts: ["host1", "host2", "host3"], bindings: 2)

  /// As an agent shows it that knows how it carries it.
  static let encrypted = API.Network(
    id: "7f9d3c50-52c4-4f0e-8a57-2f0c9f6c2d12", name: "red", vni: 4712, bridge: "weft-red", encap: .gre,
    encryption: .required, mtu: 1412, underlayNeeded: 1500, mechanism: "user-space GRE in ESP in UDP",
    forwarding: API.Forwarding(
      path: .user, flood: ["192.0.2.2", "192.0.2.3"],
      entries: [API.ForwardingEntry(mac: "00:16:3e:00:00:02", address: "192.0.2.2")],
      counters: API.ForwardingCounters(
        framesOut: 7, bytesOut: 9000, packetsOut: 12, framesCut: 1, framesFlooded: 2, packetsIn: 6, framesIn: 1,
        bytesIn: 5000, framesJoined: 1, drops: [drop])), state: .ok, hosts: ["host1"])

  static let binding = API.Binding(
    mac: "00:16:3e:00:00:01", network: "blue", networkId: networkID, host: "host1", hostId: hostID, state: .live,
    sequence: 4, ips: ["198.51.100.7", "2001:db8::7"], vif: "vif3.0", vm: "web")

  static let duplicate = API.Binding(
    mac: "00:16:3e:00:00:02", network: "blue", networkId: networkID, host: "host2", hostId: silentHost.id,
    state: .present, sequence: nil, duplicate: true,
    rivals: [API.Rival(host: "host1", sequence: nil, vif: "vif4.0", vm: nil)], hidden: true, damped: true)

  static let status = API.PoolStatus(
    joined: true, pool: "rack", poolId: "0a0b0c0d", host: "host1", hostId: hostID, address: "192.0.2.1",
    release: "0.1.0", hosts: API.HostCounts(alive: 2, agentDown: 1), networks: 1, bindings: 2,
    epochs: [API.KeyEpoch(host: "host1", epoch: 2)],
    keys: API.KeyCounts(epoch: 2, established: 1, pending: 2), problems: ["Host host2 is silent: start weftd there."])

  static let event = API.Event(
    id: 5, seconds: 1_795_217_400, nanoseconds: 250_000_000, kind: "macMoved",
    message: "00:16:3e:00:00:01 moved from host2 to host1.", host: "host1", network: "blue", mac: "00:16:3e:00:00:01")

  static let report = API.DoctorReport(
    host: "host1",
    checks: [
      API.Check(name: "VXLAN in the kernel", status: .ok, message: "Tried: it works."),
      API.Check(name: "underlay to host2", status: .warning, message: "It does not answer: look at its network."),
    ])
}
