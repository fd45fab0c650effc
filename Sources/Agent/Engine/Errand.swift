import Wire

/// Work that takes time and so is not done on the engine's thread.
enum Errand: Sendable {
  /// Exchange what is missing with a host over TLS.
  case sync(HostID, at: Endpoint)
  /// Find out whether a host's agent or at least its kernel answers on TCP.
  case probe(HostID, at: Endpoint, sequence: UInt32)
  /// Ask any of these hosts for the key of the pool's present CA.
  case fetchCA([Endpoint])
  /// Have the host's firewall let through what our bridges forward.
  case exempt(FirewallExemption.Request)
  /// Close descriptors that take their time to be closed.
  case close([Int32])
  /// Find out what the kernel can do for networks in clear.
  case tryKernel
}

/// Where a host was when it was last heard of.
struct PeerAddress: Hashable, Sendable {
  var host: HostID
  var endpoint: Endpoint
  var boot: Boot?

  /// - Parameter seeds: where members answered when this host joined, for as long as it has heard none of them.
  static func encode(_ peers: [PeerAddress], seeds: [Endpoint]) -> [UInt8] {
    var writer = ByteWriter()
    writer.append(UInt16(min(peers.count, Int(UInt16.max))))
    for peer in peers.prefix(Int(UInt16.max)) {
      writer.append(peer.host)
      writer.append(peer.endpoint)
      writer.append(UInt8(peer.boot == nil ? 0 : 1))
      if let boot = peer.boot { writer.append(boot) }
    }
    for seed in seeds.prefix(maximumSeeds) { writer.append(seed) }
    return writer.bytes
  }

  private static let maximumSeeds = 64

  static func decode(_ bytes: [UInt8]) throws(WireError) -> (peers: [PeerAddress], seeds: [Endpoint]) {
    var reader = ByteReader(bytes)
    var peers: [PeerAddress] = []
    for _ in 0..<(try reader.readUInt16("peers")) {
      let host = try reader.readHostID()
      let endpoint = try reader.readEndpoint()
      let boot = try reader.readUInt8("boot mark") == 1 ? try reader.readBoot() : nil
      peers.append(PeerAddress(host: host, endpoint: endpoint, boot: boot))
    }
    var seeds: [Endpoint] = []
    while !reader.isAtEnd { seeds.append(try reader.readEndpoint()) }
    return (peers, seeds)
  }
}

/// A line for `weft events`.
struct Event: Sendable {
  var kind: String
  var message: String
  var host: String?
  var network: String?
  var mac: String?

  init(kind: String, message: String, host: String? = nil, network: String? = nil, mac: String? = nil) {
    self.kind = kind
    self.message = message
    self.host = host
    self.network = network
    self.mac = mac
  }
}
