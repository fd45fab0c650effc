import Wire

/// The name of a network's Linux bridge, the same on every host.
///
/// At most 15 characters (IFNAMSIZ), and none of the prefixes that XAPI keeps for itself.
package struct BridgeName: Hashable, Comparable, Sendable, CustomStringConvertible {
  package let text: String

  package static let maximumLength = 15

  private static let reservedPrefixes = ["xen", "xapi", "vif", "tap", "eth"]

  package init(_ text: String) throws(RegistryError) {
    let bytes = Array(text.utf8)
    guard !bytes.isEmpty else { throw .invalidBridge(text, why: "it is empty") }
    guard bytes.count <= Self.maximumLength else { throw .invalidBridge(text, why: "it exceeds 15 characters") }
    guard bytes.allSatisfy({ $0 > 32 && $0 < 127 && $0 != UInt8(ascii: "/") && $0 != UInt8(ascii: ":") }) else {
      throw .invalidBridge(text, why: "only printable ASCII without spaces, '/' and ':' is allowed")
    }
    guard text != ".", text != ".." else { throw .invalidBridge(text, why: "it names a directory") }
    let lower = text.lowercased()
    if let prefix = Self.reservedPrefixes.first(where: { lower.hasPrefix($0) }) {
      throw .invalidBridge(text, why: "names that start with \(prefix) are reserved on Xen hosts")
    }
    self.text = text
  }

  /// `weft-<name>` if it fits, else `weft<VNI>`.
  package init(network name: NetworkName, vni: VNI) {
    let wished = "weft-" + name.text
    text = wished.utf8.count <= Self.maximumLength ? wished : "weft\(vni.value)"
  }

  package var description: String { text }

  package static func < (left: Self, right: Self) -> Bool { left.text < right.text }
}
