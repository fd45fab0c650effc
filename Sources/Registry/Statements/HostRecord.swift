import Wire

/// What a host's data path and kernel can do.
package struct HostCapabilities: OptionSet, Hashable, Sendable {
  package let rawValue: UInt32

  package init(rawValue: UInt32) { self.rawValue = rawValue }

  /// Encrypted networks are carried by the kernel.
  package static let kernelESP = HostCapabilities(rawValue: 1)
  package static let kernelGRE = HostCapabilities(rawValue: 2)
  /// Encrypted networks are carried in user space: ESP to and from this host goes in UDP.
  package static let userSpace = HostCapabilities(rawValue: 4)
  package static let kernelVXLAN = HostCapabilities(rawValue: 8)
  /// With `kernelESP`: the kernel also speaks ESP in UDP, with hosts in user space.
  package static let espInUDP = HostCapabilities(rawValue: 16)
}

/// What a host says of itself. It takes effect as soon as it is heard, also in a boot whose set is not complete.
package struct HostRecord: Hashable, Sendable {
  package var name: HostName
  /// Where tunnels to this host end, best first.
  package var vteps: [VTEP]
  package var gossipPort: UInt16
  /// Of the underlay interface, in bytes.
  package var underlayMTU: UInt32
  package var capabilities: HostCapabilities
  /// X25519, 32 bytes, the same in every boot.
  package var staticKey: [UInt8]
  /// X25519, 32 bytes, of this boot.
  package var ephemeralKey: [UInt8]
  /// The generation of the keys of the data path.
  package var epoch: UInt64
  /// X25519, 32 bytes; nil as long as the host has no keys of the data path.
  package var epochKey: [UInt8]?
  /// The release of the agent, as text.
  package var release: String

  static let keySize = 32
  static let maximumVTEPs = 16
  static let maximumReleaseSize = 64

  package init(
    name: HostName, vteps: [VTEP], gossipPort: UInt16, underlayMTU: UInt32, capabilities: HostCapabilities,
    staticKey: [UInt8], ephemeralKey: [UInt8], epoch: UInt64 = 0, epochKey: [UInt8]? = nil, release: String
  ) {
    self.name = name
    self.vteps = vteps
    self.gossipPort = gossipPort
    self.underlayMTU = underlayMTU
    self.capabilities = capabilities
    self.staticKey = staticKey
    self.ephemeralKey = ephemeralKey
    self.epoch = epoch
    self.epochKey = epochKey
    self.release = release
  }

  package var bytes: [UInt8] {
    var writer = FieldWriter()
    writer.append(1, name.text)
    writer.append(2, Array(vteps.prefix(Self.maximumVTEPs)))
    writer.append(3, gossipPort)
    writer.append(4, underlayMTU)
    writer.append(5, capabilities.rawValue)
    writer.append(6, staticKey)
    writer.append(7, ephemeralKey)
    writer.append(8, epoch)
    if let epochKey { writer.append(9, epochKey) }
    writer.append(10, Array(release.utf8.prefix(Self.maximumReleaseSize)))
    return writer.bytes
  }

  package init(bytes: [UInt8]) throws(WireError) {
    let fields = try FieldTable(bytes)
    guard let name = try? HostName(fields.text(1, maximum: 63, "host name") ?? "") else { throw .invalid("host name") }
    self.name = name
    vteps = try fields.addresses(2, maximum: Self.maximumVTEPs, "VTEPs")
    gossipPort = try fields.uint16(3, "gossip port") ?? 0
    underlayMTU = try fields.uint32(4, "underlay MTU") ?? 0
    capabilities = HostCapabilities(rawValue: try fields.uint32(5, "capabilities") ?? 0)
    staticKey = try fields.bytes(6, count: Self.keySize, "static key")
    ephemeralKey = try fields.bytes(7, count: Self.keySize, "ephemeral key")
    epoch = try fields.uint64(8, "epoch") ?? 0
    epochKey = fields.bytes(9) == nil ? nil : try fields.bytes(9, count: Self.keySize, "epoch key")
    release = try fields.text(10, maximum: Self.maximumReleaseSize, "release") ?? ""
    guard vteps.allSatisfy(\.isUnicast) else { throw .invalid("VTEPs") }
  }
}
