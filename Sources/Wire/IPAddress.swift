/// An IPv4 or IPv6 address, without scope.
package enum IPAddress: Hashable, Sendable {
  case v4(UInt32)
  case v6(high: UInt64, low: UInt64)

  /// 4 or 16 bytes in the order of the wire.
  package init?(bytes: [UInt8]) {
    switch bytes.count {
    case 4: self = .v4(bytes.reduce(0) { $0 << 8 | UInt32($1) })
    case 16:
      self = .v6(
        high: bytes[..<8].reduce(0) { $0 << 8 | UInt64($1) }, low: bytes[8...].reduce(0) { $0 << 8 | UInt64($1) })
    default: return nil
    }
  }

  package var bytes: [UInt8] {
    var writer = ByteWriter(capacity: 16)
    switch self {
    case .v4(let value): writer.append(value)
    case .v6(let high, let low):
      writer.append(high)
      writer.append(low)
    }
    return writer.bytes
  }

  package var isV6: Bool { if case .v6 = self { true } else { false } }

  /// Not an address of one host: unspecified, multicast, or IPv4 broadcast.
  package var isUnicast: Bool {
    switch self {
    case .v4(let value): value != 0 && value >> 28 != 0xe && value != .max
    case .v6(let high, let low): !(high == 0 && low == 0) && high >> 56 != 0xff
    }
  }

  /// fe80::/10 or 169.254.0.0/16.
  package var isLinkLocal: Bool {
    switch self {
    case .v4(let value): value >> 16 == 0xa9fe
    case .v6(let high, _): high >> 54 == 0x3fa
    }
  }
}

extension IPAddress: Comparable {
  /// IPv4 before IPv6, then as numbers.
  package static func < (left: Self, right: Self) -> Bool {
    switch (left, right) {
    case (.v4(let a), .v4(let b)): a < b
    case (.v4, .v6): true
    case (.v6, .v4): false
    case (.v6(let a, let b), .v6(let c, let d)): a != c ? a < c : b < d
    }
  }
}

extension IPAddress: CustomStringConvertible {
  /// Dotted decimal, or RFC 5952 text.
  package var description: String {
    switch self {
    case .v4: return bytes.map(String.init).joined(separator: ".")
    case .v6:
      let groups = stride(from: 0, to: 16, by: 2).map { UInt16(bytes[$0]) << 8 | UInt16(bytes[$0 + 1]) }
      guard let gap = Self.longestZeroRun(groups) else { return Self.text(groups[...]) }
      return Self.text(groups[..<gap.lowerBound]) + "::" + Self.text(groups[gap.upperBound...])
    }
  }

  private static func text(_ groups: ArraySlice<UInt16>) -> String {
    groups.map { String($0, radix: 16) }.joined(separator: ":")
  }

  private static func longestZeroRun(_ groups: [UInt16]) -> Range<Int>? {
    var best: Range<Int>?
    var start: Int?
    for index in 0...groups.count {
      if index < groups.count, groups[index] == 0 {
        if start == nil { start = index }
      } else if let from = start {
        if index - from > max(best?.count ?? 1, 1) { best = from..<index }
        start = nil
      }
    }
    return best
  }
}

extension IPAddress {
  /// Dotted decimal with four parts, or any RFC 4291 text (also with an IPv4 tail); nil for anything else.
  package init?(_ text: String) {
    if text.utf8.contains(UInt8(ascii: ":")) {
      guard let bytes = Self.parseV6(text) else { return nil }
      self.init(bytes: bytes)
    } else {
      guard let bytes = Self.parseV4(text) else { return nil }
      self.init(bytes: bytes)
    }
  }

  private static func parseV4(_ text: some StringProtocol) -> [UInt8]? {
    let parts = text.split(separator: ".", omittingEmptySubsequences: false)
    guard parts.count == 4 else { return nil }
    var bytes: [UInt8] = []
    for part in parts {
      guard !part.isEmpty, part.utf8.count <= 3, part.utf8.allSatisfy({ (48...57).contains($0) }),
        part.utf8.count == 1 || part.utf8.first != 48, let byte = UInt8(part)
      else { return nil }
      bytes.append(byte)
    }
    return bytes
  }

  private static func parseV6(_ text: String) -> [UInt8]? {
    guard let gap = firstGap(text) else {
      guard let bytes = groups(text[...]), bytes.count == 16 else { return nil }
      return bytes
    }
    guard let head = groups(text[..<gap.lowerBound], endsAddress: false), let tail = groups(text[gap.upperBound...]),
      head.count + tail.count <= 14
    else { return nil }
    return head + [UInt8](repeating: 0, count: 16 - head.count - tail.count) + tail
  }

  private static func firstGap(_ text: String) -> Range<String.Index>? {
    var index = text.startIndex
    while index < text.endIndex {
      let next = text.index(after: index)
      if text[index] == ":", next < text.endIndex, text[next] == ":" { return index..<text.index(after: next) }
      index = next
    }
    return nil
  }

  private static func groups(_ text: Substring, endsAddress: Bool = true) -> [UInt8]? {
    if text.isEmpty { return [] }
    var bytes: [UInt8] = []
    let parts = text.split(separator: ":", omittingEmptySubsequences: false)
    for (index, part) in parts.enumerated() {
      if endsAddress, index == parts.count - 1, part.utf8.contains(UInt8(ascii: ".")) {
        guard let tail = parseV4(part) else { return nil }
        bytes += tail
      } else {
        guard (1...4).contains(part.utf8.count), part.utf8.first != UInt8(ascii: "+"),
          let group = UInt16(part, radix: 16)
        else { return nil }
        bytes += [UInt8(group >> 8), UInt8(truncatingIfNeeded: group)]
      }
    }
    return bytes
  }
}

/// A host's address on the underlay network: where its tunnels end.
package typealias VTEP = IPAddress

/// An address with a UDP or TCP port.
package struct Endpoint: Hashable, Sendable, CustomStringConvertible {
  package let address: IPAddress
  package let port: UInt16

  package init(address: IPAddress, port: UInt16) {
    self.address = address
    self.port = port
  }

  /// `192.0.2.1:7677` or `[2001:db8::1]:7677`; the port may be left out if `defaultPort` is given.
  package init?(_ text: String, defaultPort: UInt16? = nil) {
    if let address = IPAddress(text) {
      guard let defaultPort else { return nil }
      self.init(address: address, port: defaultPort)
      return
    }
    if text.hasPrefix("["), text.hasSuffix("]"), let defaultPort,
      let address = IPAddress(String(text.dropFirst().dropLast()))
    {
      self.init(address: address, port: defaultPort)
      return
    }
    guard let colon = text.lastIndex(of: ":"), text[text.index(after: colon)...].utf8.first != UInt8(ascii: "+"),
      let port = UInt16(text[text.index(after: colon)...]), port != 0
    else { return nil }
    var host = text[..<colon]
    if host.hasPrefix("["), host.hasSuffix("]") {
      host = host.dropFirst().dropLast()
    } else if host.contains(":") {
      return nil
    }
    guard let address = IPAddress(String(host)) else { return nil }
    self.init(address: address, port: port)
  }

  package var description: String { address.isV6 ? "[\(address)]:\(port)" : "\(address):\(port)" }
}

extension ByteWriter {
  /// One length byte (4 or 16), then the address.
  package mutating func append(_ address: IPAddress) {
    let bytes = address.bytes
    append(UInt8(bytes.count))
    append(bytes)
  }

  package mutating func append(_ endpoint: Endpoint) {
    append(endpoint.address)
    append(endpoint.port)
  }
}

extension ByteReader {
  package mutating func readIPAddress() throws(WireError) -> IPAddress {
    let count = Int(try readUInt8("address length"))
    guard let address = IPAddress(bytes: try readBytes(count, "address")) else { throw .invalid("address length") }
    return address
  }

  package mutating func readEndpoint() throws(WireError) -> Endpoint {
    Endpoint(address: try readIPAddress(), port: try readUInt16("port"))
  }
}
