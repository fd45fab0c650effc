import Wire

/// Whether a network stands on a host.
package enum NetworkStanding: Hashable, Sendable {
  case stands
  /// It stands and carries traffic; the sentence says what is wrong all the same.
  case complains(String)
  /// It does not, and the sentence says why.
  case fails(String)

  /// Frames come and go through the network's tunnel.
  package var carriesTraffic: Bool {
    switch self {
    case .stands, .complains: true
    case .fails: false
    }
  }

  /// What is wrong; nil if nothing is.
  package var problem: String? {
    switch self {
    case .stands: nil
    case .complains(let reason), .fails(let reason): reason
    }
  }
}

/// A host's statement about one network.
package struct NetworkStatus: Hashable, Sendable {
  package var standing: NetworkStanding
  /// At least one VIF is in the network's bridge: the host wants the network's broadcasts.
  package var hasVIF: Bool

  static let maximumReasonSize = 240

  package init(standing: NetworkStanding, hasVIF: Bool) {
    self.standing = standing
    self.hasVIF = hasVIF
  }

  /// Whether the host belongs on the network's flood list.
  package var takesFlood: Bool { hasVIF && standing.carriesTraffic }

  package var bytes: [UInt8] {
    var writer = FieldWriter()
    switch standing {
    case .stands: writer.append(1, UInt8(1))
    // A release that knows no complaints reads that the network stands.
    case .complains(let reason):
      writer.append(1, UInt8(1))
      writer.append(2, reason.prefixed(Self.maximumReasonSize))
    case .fails(let reason):
      writer.append(1, UInt8(2))
      writer.append(2, reason.prefixed(Self.maximumReasonSize))
    }
    writer.append(3, UInt8(hasVIF ? 1 : 0))
    return writer.bytes
  }

  /// The value of a network that is no more on the host.
  static let goneBytes: [UInt8] = {
    var writer = FieldWriter()
    writer.append(1, UInt8(0))
    return writer.bytes
  }()

  /// nil if the host says that the network is no more there.
  package static func read(_ bytes: [UInt8]) throws(WireError) -> NetworkStatus? {
    let fields = try FieldTable(bytes)
    let reason = try fields.text(2, maximum: maximumReasonSize, "reason") ?? ""
    let hasVIF = try fields.uint8(3, "VIF flag") ?? 0 & 1
    switch try fields.uint8(1, "network standing") ?? 0 {
    case 0: return nil
    case 1:
      let standing: NetworkStanding = reason.isEmpty ? .stands : .complains(reason)
      return NetworkStatus(standing: standing, hasVIF: hasVIF == 1)
    default:
      return NetworkStatus(standing: .fails(reason), hasVIF: hasVIF == 1)
    }
  }
}

extension String {
  /// The longest prefix of whole characters that takes at most `maximum` bytes of UTF-8.
  func prefixed(_ maximum: Int) -> String {
    if utf8.count <= maximum { return self }
    var result = ""
    var size = 0
    for character in self {
      size += character.utf8.count
      if size > maximum { break }
      result.append(character)
    }
    return result
  }
}
