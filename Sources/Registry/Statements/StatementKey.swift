import Wire

/// What a statement of a host is about. A host has at most one statement per key and boot.
package enum StatementKey: Hashable, Sendable {
  /// The host record.
  case host
  /// Whether a network stands on this host, and whether it has a VIF there.
  case network(NetworkID)
  /// The host's claim on a MAC of a network.
  case claim(NetworkID, MACAddress)
  /// The mark that the first full set of this boot is complete.
  case complete
  /// A kind of a newer release: kept and passed on.
  case unknown(kind: UInt8, [UInt8])

  package var bytes: [UInt8] {
    var writer = ByteWriter(capacity: 24)
    switch self {
    case .host: writer.append(UInt8(1))
    case .network(let network):
      writer.append(UInt8(2))
      writer.append(network)
    case .claim(let network, let mac):
      writer.append(UInt8(3))
      writer.append(network)
      writer.append(mac.octets)
    case .complete: writer.append(UInt8(4))
    case .unknown(let kind, let rest):
      writer.append(kind)
      writer.append(rest)
    }
    return writer.bytes
  }

  package init(bytes: [UInt8]) throws(WireError) {
    guard bytes.count <= Self.maximumSize else { throw .invalid("statement key") }
    var reader = ByteReader(bytes)
    let kind = try reader.readUInt8("statement kind")
    switch kind {
    case 1: self = .host
    case 2: self = .network(try reader.readNetworkID())
    case 3: self = .claim(try reader.readNetworkID(), try reader.readMAC())
    case 4: self = .complete
    default:
      self = .unknown(kind: kind, reader.readRest())
      return
    }
    try reader.expectEnd()
  }

  static let maximumSize = 64
}

/// One thing that a host says, in the version of its boot in which it said it last.
package struct Statement: Hashable, Sendable {
  package var version: Version
  package var key: StatementKey
  /// In the owner's bytes; `HostRecord`, `NetworkStatus` and `Claim` read them.
  package var value: [UInt8]

  package init(version: Version, key: StatementKey, value: [UInt8]) {
    self.version = version
    self.key = key
    self.value = value
  }

  static let maximumValueSize = 4096

  var encodedSize: Int { 8 + 2 + key.bytes.count + 2 + value.count }
}
