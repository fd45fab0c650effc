import Wire

/// What a network is called: 1 to 63 ASCII letters, digits, `.`, `_`, `-`, the first a letter or a digit.
package struct NetworkName: Hashable, Comparable, Sendable, CustomStringConvertible {
  package let text: String

  package init(_ text: String) throws(RegistryError) {
    guard NameRule.allows(text) else { throw .invalidNetworkName(text) }
    self.text = text
  }

  package var description: String { text }

  package static func < (left: Self, right: Self) -> Bool { left.text < right.text }
}

/// What a host is called: the rule of network names.
package struct HostName: Hashable, Comparable, Sendable, CustomStringConvertible {
  package let text: String

  package init(_ text: String) throws(RegistryError) {
    guard NameRule.allows(text) else { throw .invalidHostName(text) }
    self.text = text
  }

  package var description: String { text }

  package static func < (left: Self, right: Self) -> Bool { left.text < right.text }
}

/// The rule that names of hosts and networks share: they stand in paths, in JSON and in tables of text.
enum NameRule {
  static func allows(_ text: String) -> Bool {
    let bytes = Array(text.utf8)
    guard (1...63).contains(bytes.count), let first = bytes.first, isAlphanumeric(first) else { return false }
    return bytes.allSatisfy {
      isAlphanumeric($0) || [UInt8(ascii: "."), UInt8(ascii: "_"), UInt8(ascii: "-")].contains($0)
    }
  }

  private static func isAlphanumeric(_ byte: UInt8) -> Bool {
    switch byte {
    case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "a")...UInt8(ascii: "z"),
      UInt8(ascii: "A")...UInt8(ascii: "Z"):
      true
    default: false
    }
  }
}
